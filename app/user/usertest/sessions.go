package usertest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/app/user/query"
)

// signed signs in who is registered with the password of these tests.
func (b *bench) signed(t *testing.T, email string) command.Grant {
	t.Helper()
	in, err := b.signIn.Handle(b.request, command.SignIn{Email: email, Password: password, Client: user.Client{Agent: "test"}})
	require.NoError(t, err)
	return in
}

func (b *bench) refreshes(g command.Grant) (command.Grant, error) {
	return b.refresh.Handle(b.request, command.RefreshSession{Token: g.RefreshToken.Reveal(), Client: user.Client{Agent: "test"}})
}

// sessionOf reads the session from an access token of issuer's.
func sessionOf(t *testing.T, g command.Grant) uuid.UUID {
	t.Helper()
	id, err := uuid.Parse(strings.Fields(g.AccessToken)[2])
	require.NoError(t, err)
	return id
}

func (b *bench) sessionsOf(t *testing.T, id uuid.UUID) []user.Session {
	t.Helper()
	page, err := b.sessions.Handle(b.request, query.Sessions{Caller: principal.Principal{UserID: id}, Limit: user.MaxSessions})
	require.NoError(t, err)
	require.Nil(t, page.Next)
	return page.Sessions
}

func refreshed(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	first := b.signed(t, u.Email)
	began := b.at
	_, err := b.update.Handle(b.request, command.UpdateUser{Caller: b.root, ID: u.ID, Role: new(principal.RoleOperator)})
	require.NoError(t, err)
	b.at = b.at.Add(time.Hour)
	second, err := b.refreshes(first)
	require.NoError(t, err)
	require.Equal(t, u.ID.String()+" operator "+sessionOf(t, first).String(), second.AccessToken, "the role as it is now, the same session")
	require.NotEqual(t, first.RefreshToken, second.RefreshToken)
	require.True(t, second.Expires.Equal(b.at.Add(15*time.Minute)))
	require.Equal(t, []user.Session{{
		ID: sessionOf(t, first), UserID: u.ID, Generation: 2, Issued: 2, CreatedAt: began, LastUsedAt: b.at,
		ExpiresAt: b.at.Add(user.SessionIdle), Client: user.Client{Agent: "test"},
	}}, b.sessionsOf(t, u.ID))
	_, err = b.refreshes(second)
	require.NoError(t, err)
	for _, unknown := range []string{"", "x", user.RefreshToken{}.Reveal()} {
		_, err = b.refresh.Handle(b.request, command.RefreshSession{Token: unknown})
		require.ErrorIs(t, err, user.ErrRefreshToken)
	}
}

// atOnce has 64 callers do something, and gives the errors.
func atOnce(do func(i int) error) (errs [64]error) {
	var callers sync.WaitGroup
	begins := make(chan struct{})
	for i := range errs {
		callers.Go(func() { <-begins; errs[i] = do(i) })
	}
	close(begins)
	callers.Wait()
	return errs
}

func refreshRaced(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	first := b.signed(t, u.Email)
	var got [64]command.Grant
	for _, err := range atOnce(func(i int) (err error) { got[i], err = b.refreshes(first); return err }) {
		require.NoError(t, err)
	}
	sessions := b.sessionsOf(t, u.ID)
	require.Len(t, sessions, 1)
	require.EqualValues(t, 2, sessions[0].Generation, "one of them used the token, the others came again")
	require.EqualValues(t, 65, sessions[0].Issued)
	different := map[user.RefreshToken]bool{}
	for _, g := range got {
		require.Equal(t, sessionOf(t, first), sessionOf(t, g))
		different[g.RefreshToken] = true
	}
	require.Len(t, different, 64)

	b.at = b.at.Add(time.Hour)
	next, err := b.refreshes(got[17])
	require.NoError(t, err, "each of the tokens is good")
	b.at = b.at.Add(user.RefreshGrace + time.Microsecond)
	_, err = b.refreshes(got[18])
	require.ErrorIs(t, err, user.ErrRefreshToken, "but not two of them for long")
	_, err = b.refreshes(next)
	require.ErrorIs(t, err, user.ErrRefreshToken, "who of the two is the thief cannot be told")
}

func refreshReused(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	other := b.signed(t, u.Email)
	for name, again := range map[string]func(first, second command.Grant) error{
		"after the grace": func(first, _ command.Grant) error {
			b.at = b.at.Add(user.RefreshGrace + time.Microsecond)
			_, err := b.refreshes(first)
			return err
		},
		"with its successor used": func(first, second command.Grant) error {
			_, err := b.refreshes(second)
			require.NoError(t, err)
			_, err = b.refreshes(first)
			return err
		},
	} {
		first := b.signed(t, u.Email)
		second, err := b.refreshes(first)
		require.NoError(t, err)
		require.ErrorIs(t, again(first, second), user.ErrRefreshToken, name)
		_, err = b.refreshes(second)
		require.ErrorIs(t, err, user.ErrRefreshToken, name)
		require.Len(t, b.sessionsOf(t, u.ID), 1, name)
	}
	_, err := b.refreshes(other)
	require.NoError(t, err, "the user's other sessions go on")
}

func refreshEnded(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	for range 3 {
		first := b.signed(t, u.Email)
		var got [64]command.Grant
		errs := atOnce(func(i int) (err error) {
			if i == 32 {
				return b.endAll.Handle(b.request, command.EndSessions{Caller: caller(u), UserID: u.ID})
			}
			got[i], err = b.refreshes(first)
			return err
		})
		require.NoError(t, errs[32])
		require.Empty(t, b.sessionsOf(t, u.ID))
		for i, err := range errs {
			if err != nil {
				require.ErrorIs(t, err, user.ErrRefreshToken)
				continue
			}
			if i != 32 {
				_, err = b.refreshes(got[i])
				require.ErrorIs(t, err, user.ErrRefreshToken)
			}
		}
	}
}

func refreshLate(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	idle := b.signed(t, u.Email)
	b.at = b.at.Add(user.SessionIdle)
	require.Empty(t, b.sessionsOf(t, u.ID))
	_, err := b.refreshes(idle)
	require.ErrorIs(t, err, user.ErrRefreshToken)

	old := b.signed(t, u.Email)
	for range 2 {
		b.at = b.at.Add(user.SessionIdle - time.Hour)
		old, err = b.refreshes(old)
		require.NoError(t, err)
	}
	b.at = b.at.Add(2*24*time.Hour + 2*time.Hour)
	_, err = b.refreshes(old)
	require.ErrorIs(t, err, user.ErrRefreshToken)
}

func signedOut(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	other := b.signed(t, u.Email)
	for _, used := range []bool{true, false} {
		first := b.signed(t, u.Email)
		last, err := b.refreshes(first)
		require.NoError(t, err)
		token := last
		if used {
			token = first
		}
		for range 2 {
			require.NoError(t, b.signOut.Handle(b.request, command.SignOut{Token: token.RefreshToken.Reveal()}))
		}
		_, err = b.refreshes(last)
		require.ErrorIs(t, err, user.ErrRefreshToken)
	}
	for _, unknown := range []string{"", "x", user.RefreshToken{}.Reveal()} {
		require.NoError(t, b.signOut.Handle(b.request, command.SignOut{Token: unknown}))
	}
	_, err := b.refreshes(other)
	require.NoError(t, err)
}

func sessionEnded(t *testing.T, b *bench) {
	ada, eve := b.registered(t, "ada@example.com"), b.registered(t, "eve@example.com")
	first, second := b.signed(t, ada.Email), b.signed(t, ada.Email)
	for _, other := range []principal.Principal{caller(eve), b.root} {
		err := b.end.Handle(b.request, command.EndSession{Caller: other, ID: sessionOf(t, first)})
		require.ErrorIs(t, err, user.ErrSessionNotFound)
	}
	end := command.EndSession{Caller: caller(ada), ID: sessionOf(t, first)}
	require.NoError(t, b.end.Handle(b.request, end))
	require.ErrorIs(t, b.end.Handle(b.request, end), user.ErrSessionNotFound)
	_, err := b.refreshes(first)
	require.ErrorIs(t, err, user.ErrRefreshToken)
	_, err = b.refreshes(second)
	require.NoError(t, err)
}

func sessionsEnded(t *testing.T, b *bench) {
	ada, eve := b.registered(t, "ada@example.com"), b.registered(t, "eve@example.com")
	evesOwn := b.signed(t, eve.Email)
	for _, by := range []principal.Principal{caller(ada), b.root} {
		grants := []command.Grant{b.signed(t, ada.Email), b.signed(t, ada.Email), b.signed(t, ada.Email)}
		err := b.endAll.Handle(b.request, command.EndSessions{Caller: caller(eve), UserID: ada.ID})
		require.ErrorIs(t, err, user.ErrNotFound)
		require.NoError(t, b.endAll.Handle(b.request, command.EndSessions{Caller: by, UserID: ada.ID}))
		for _, g := range grants {
			_, err := b.refreshes(g)
			require.ErrorIs(t, err, user.ErrRefreshToken)
		}
	}
	_, err := b.refreshes(evesOwn)
	require.NoError(t, err)
	require.ErrorIs(t, b.endAll.Handle(b.request, command.EndSessions{Caller: b.root, UserID: newID()}), user.ErrNotFound)
}

func sessionsDeleted(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	g := b.signed(t, u.Email)
	require.NoError(t, b.delete.Handle(b.request, command.DeleteUser{Caller: caller(u), ID: u.ID}))
	require.Empty(t, b.sessionsOf(t, u.ID))
	_, err := b.refreshes(g)
	require.ErrorIs(t, err, user.ErrRefreshToken)
}

func sessionsBounded(t *testing.T, b *bench) {
	u, other := b.registered(t, "ada@example.com"), b.registered(t, "eve@example.com")
	evesOwn := b.signed(t, other.Email)
	grants := make([]command.Grant, user.MaxSessions+1)
	for i := range grants {
		grants[i] = b.signed(t, u.Email)
	}
	sessions := b.sessionsOf(t, u.ID)
	require.Len(t, sessions, user.MaxSessions)
	require.Equal(t, sessionOf(t, grants[user.MaxSessions]), sessions[0].ID, "newest first")
	_, err := b.refreshes(grants[0])
	require.ErrorIs(t, err, user.ErrRefreshToken)
	for _, g := range []command.Grant{grants[1], grants[user.MaxSessions], evesOwn} {
		_, err = b.refreshes(g)
		require.NoError(t, err)
	}

	var listed []uuid.UUID
	page := query.SessionsPage{}
	for range 4 {
		page, err = b.sessions.Handle(b.request, query.Sessions{Caller: caller(u), Behind: page.Next, Limit: 33})
		require.NoError(t, err)
		for _, s := range page.Sessions {
			listed = append(listed, s.ID)
		}
	}
	require.Nil(t, page.Next)
	require.Len(t, listed, user.MaxSessions)
	for i, s := range sessions {
		require.Equal(t, s.ID, listed[i])
	}
}

func signInOvertaken(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	b.hasher.meanwhile = func() {
		require.NoError(t, b.Store.Atomically(b.request, func(ctx context.Context, tx command.Tx) error {
			stored, err := tx.ForUpdate(ctx, u.ID)
			if err != nil {
				return err
			}
			stored.PasswordHash = "hash of another password"
			stored.Version++
			return tx.Update(ctx, stored)
		}))
	}
	_, err := b.signIn.Handle(b.request, command.SignIn{Email: u.Email, Password: password})
	require.ErrorIs(t, err, user.ErrSignIn)
	require.Empty(t, b.sessionsOf(t, u.ID))

	eve := b.registered(t, "eve@example.com")
	b.hasher.meanwhile = func() {
		require.NoError(t, b.delete.Handle(b.request, command.DeleteUser{Caller: b.root, ID: eve.ID}))
	}
	_, err = b.signIn.Handle(b.request, command.SignIn{Email: eve.Email, Password: password})
	require.ErrorIs(t, err, user.ErrSignIn)
}
