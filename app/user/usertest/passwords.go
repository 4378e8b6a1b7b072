package usertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
)

const nextPassword = "gristmill by the river"

func (b *bench) changes(t *testing.T, u user.User, session command.Grant) command.ChangePassword {
	t.Helper()
	by := caller(u)
	by.Session = sessionOf(t, session).String()
	return command.ChangePassword{Caller: by, ID: u.ID, Current: password, New: nextPassword}
}

func passwordChanged(t *testing.T, b *bench) {
	u, eve := b.registered(t, "ada@example.com"), b.registered(t, "eve@example.com")
	others, own, evesOwn := []command.Grant{b.signed(t, u.Email), b.signed(t, u.Email)}, b.signed(t, u.Email), b.signed(t, eve.Email)
	b.at = b.at.Add(time.Minute)
	require.NoError(t, b.change.Handle(b.request, b.changes(t, u, own)))

	stored := b.stored(t, u.ID)
	require.Equal(t, "hash of "+nextPassword, stored.PasswordHash)
	require.EqualValues(t, 2, stored.Version)
	require.EqualValues(t, 1, stored.Sequence)
	require.True(t, stored.UpdatedAt.Equal(b.at))
	require.Len(t, b.published(t, u.ID), 1, "nobody else needs to know")
	for _, g := range others {
		_, err := b.refreshes(g)
		require.ErrorIs(t, err, user.ErrRefreshToken)
	}
	for _, g := range []command.Grant{own, evesOwn} {
		_, err := b.refreshes(g)
		require.NoError(t, err)
	}
	_, err := b.signIn.Handle(b.request, command.SignIn{Email: u.Email, Password: password})
	require.ErrorIs(t, err, user.ErrSignIn)
	_, err = b.signIn.Handle(b.request, command.SignIn{Email: u.Email, Password: nextPassword})
	require.NoError(t, err)
}

func passwordKept(t *testing.T, b *bench) {
	u, admin := b.registered(t, "ada@example.com"), b.admin(t, "root@example.com")
	own := b.signed(t, u.Email)
	for name, test := range map[string]struct {
		change func(c *command.ChangePassword)
		want   error
	}{
		"wrong current":   {func(c *command.ChangePassword) { c.Current = "wrong password" }, user.ErrWrongPassword},
		"no current":      {func(c *command.ChangePassword) { c.Current = "" }, user.ErrWrongPassword},
		"the same again":  {func(c *command.ChangePassword) { c.New = c.Current }, user.ErrSamePassword},
		"another's":       {func(c *command.ChangePassword) { c.Caller = principal.Principal{UserID: newID()} }, user.ErrNotFound},
		"by an admin":     {func(c *command.ChangePassword) { c.Caller = caller(admin) }, user.ErrPasswordForbidden},
		"of a deleted":    {func(c *command.ChangePassword) { c.ID = newID(); c.Caller.UserID = c.ID }, user.ErrNotFound},
		"too common":      {func(c *command.ChangePassword) { c.New = "Password1" }, fault.NewInvalid()},
		"the e-mail":      {func(c *command.ChangePassword) { c.New = "ADA@example.com" }, fault.NewInvalid()},
		"the name":        {func(c *command.ChangePassword) { c.New = "ada lovelace" }, fault.NewInvalid()},
		"too short a one": {func(c *command.ChangePassword) { c.New = "1234567" }, fault.NewInvalid()},
	} {
		c := b.changes(t, u, own)
		test.change(&c)
		require.ErrorIs(t, b.change.Handle(b.request, c), test.want, name)
	}
	b.requireStored(t, u)
	_, err := b.refreshes(own)
	require.NoError(t, err)
}

func passwordRaced(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	own, other := b.signed(t, u.Email), b.signed(t, u.Email)
	change := b.changes(t, u, own)
	errs := atOnce(func(i int) (err error) {
		switch i % 3 {
		case 0:
			c := change
			c.New += string(rune('a' + i%26))
			return b.change.Handle(b.request, c)
		case 1:
			_, err = b.signIn.Handle(b.request, command.SignIn{Email: u.Email, Password: password})
		case 2:
			_, err = b.refreshes(other)
		}
		return err
	})
	changed := 0
	for i, err := range errs {
		switch {
		case i%3 != 0 && err != nil:
			require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
		case i%3 == 0 && err == nil:
			changed++
		case i%3 == 0 && fault.KindOf(err) == fault.Conflict:
		case i%3 == 0:
			require.ErrorIs(t, err, user.ErrWrongPassword)
		}
	}
	require.Equal(t, 1, changed, "of those who know the same password one changes it")
	sessions := b.sessionsOf(t, u.ID)
	require.Len(t, sessions, 1, "no session that began with the old password is left")
	require.Equal(t, sessionOf(t, own), sessions[0].ID)
}

func drawnPassword(t *testing.T, b *bench) {
	_, err := b.ensure.Handle(b.request, command.EnsureAdmin{Email: "admin@localhost", Password: password, Drawn: true})
	require.NoError(t, err)
	admin, err := b.Store.ByEmail(b.request, "admin@localhost")
	require.NoError(t, err)
	own := b.signed(t, admin.Email)
	require.Contains(t, own.AccessToken, "must change")
	own, err = b.refreshes(own)
	require.NoError(t, err)
	require.Contains(t, own.AccessToken, "must change", "a refresh is no way around it")
	name := "Root"
	admin, err = b.update.Handle(b.request, command.UpdateUser{Caller: b.root, ID: admin.ID, Name: &name})
	require.NoError(t, err)
	require.True(t, admin.MustChangePassword)

	require.NoError(t, b.change.Handle(b.request, b.changes(t, admin, own)))
	own, err = b.refreshes(own)
	require.NoError(t, err)
	require.NotContains(t, own.AccessToken, "must change")
	in, err := b.signIn.Handle(b.request, command.SignIn{Email: admin.Email, Password: nextPassword})
	require.NoError(t, err)
	require.NotContains(t, in.AccessToken, "must change")
}

func lostPassword(t *testing.T, b *bench) {
	_, err := b.ensure.Handle(b.request, command.EnsureAdmin{Email: "admin@localhost", Password: password, Drawn: true})
	require.NoError(t, err)
	own := b.signed(t, "admin@localhost")
	replace := command.ReplaceDrawnPassword{Email: "Admin@localhost", Password: "short"}
	_, err = b.replace.Handle(b.request, replace)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	replace.Password = nextPassword
	replaced, err := b.replace.Handle(b.request, replace)
	require.NoError(t, err)
	require.True(t, replaced)
	_, err = b.refreshes(own)
	require.Error(t, err, "who signed in with the drawn one is out")
	in, err := b.signIn.Handle(b.request, command.SignIn{Email: "admin@localhost", Password: nextPassword})
	require.NoError(t, err)
	require.NotContains(t, in.AccessToken, "must change")

	for _, email := range []string{"admin@localhost", "nobody@localhost"} {
		replaced, err = b.replace.Handle(b.request, command.ReplaceDrawnPassword{Email: email, Password: password})
		require.NoError(t, err)
		require.False(t, replaced, email)
	}
}

func passwordSpelled(t *testing.T, b *bench) {
	composed, decomposed := "gr\u00fcne M\u00fchle am Bach", "gru\u0308ne Mu\u0308hle am Bach"
	_, err := b.register.Handle(b.request, command.RegisterUser{Email: "ada@example.com", Name: "Ada", Password: decomposed})
	require.NoError(t, err)
	for _, spelling := range []string{composed, decomposed} {
		_, err = b.signIn.Handle(b.request, command.SignIn{Email: "ada@example.com", Password: spelling})
		require.NoError(t, err)
	}
	for _, other := range []string{"GR\u00dcNE M\u00dcHLE AM BACH", composed + " ", " " + composed} {
		_, err = b.signIn.Handle(b.request, command.SignIn{Email: "ada@example.com", Password: other})
		require.ErrorIs(t, err, user.ErrSignIn, "every character counts")
	}
}
