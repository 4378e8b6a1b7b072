package usertest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/app/user/query"
)

func signedIn(t *testing.T, b *bench) {
	u := b.admin(t, "ada@example.com")
	for _, email := range []string{"ada@example.com", " ADA@Example.com"} {
		in, err := b.signIn.Handle(b.request, command.SignIn{Email: email, Password: password})
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(in.AccessToken, u.ID.String()+" admin "), "the token is for the account, with its role")
		_, err = uuid.Parse(strings.Fields(in.AccessToken)[2])
		require.NoError(t, err, "each sign-in begins a session")
		require.True(t, in.Expires.Equal(b.at.Add(15*time.Minute)))
	}
}

func signInRefused(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	for name, c := range map[string]command.SignIn{
		"wrong password":         {Email: "ada@example.com", Password: "wrong password"},
		"empty password":         {Email: "ada@example.com"},
		"unknown e-mail address": {Email: "eve@example.com", Password: password},
		"no e-mail address":      {Email: "eve", Password: password},
		"nothing":                {},
	} {
		spent := b.hasher.spent.Load()
		in, err := b.signIn.Handle(b.request, c)
		require.Equal(t, user.ErrSignIn, err, name)
		require.Zero(t, in, name)
		require.Equal(t, spent+1, b.hasher.spent.Load(), name)
	}
	require.NoError(t, b.delete.Handle(b.request, command.DeleteUser{Caller: caller(u), ID: u.ID}))
	_, err := b.signIn.Handle(b.request, command.SignIn{Email: "ada@example.com", Password: password})
	require.Equal(t, user.ErrSignIn, err)
}

func ids(users []user.User) (ids []uuid.UUID) {
	for _, u := range users {
		ids = append(ids, u.ID)
	}
	return ids
}

func filtered(t *testing.T, b *bench) {
	ada, bob := b.registered(t, "ada@example.com"), b.registered(t, "bob@example.com")
	for name, test := range map[string]struct {
		email string
		want  []uuid.UUID
	}{
		"all, newest first":             {"", []uuid.UUID{bob.ID, ada.ID}},
		"one, in any spelling":          {"ADA@Example.com", []uuid.UUID{ada.ID}},
		"an e-mail address of nobody's": {"eve@example.com", nil},
	} {
		page, err := b.list.Handle(b.request, query.Users{Caller: b.root, Email: test.email, Limit: 10})
		require.NoError(t, err, name)
		require.Equal(t, test.want, ids(page.Users), name)
		require.Nil(t, page.Next, name)
	}
	_, err := b.list.Handle(b.request, query.Users{Caller: b.root, Email: "ada", Limit: 10})
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	_, err = b.list.Handle(b.request, query.Users{Caller: caller(ada), Limit: 10})
	require.ErrorIs(t, err, query.ErrForbidden)
}

// paged reads three pages while an account of the first and one of the last are deleted, and a new one comes.
func paged(t *testing.T, b *bench) {
	var want []uuid.UUID
	for i := range 7 {
		want = append([]uuid.UUID{b.registered(t, string(rune('a'+i))+"@example.com").ID}, want...)
	}
	next := func(before *uuid.UUID) query.UsersPage {
		page, err := b.list.Handle(b.request, query.Users{Caller: b.root, Behind: before, Limit: 3})
		require.NoError(t, err)
		return page
	}
	first := next(nil)
	require.Equal(t, want[:3], ids(first.Users))
	require.NoError(t, b.delete.Handle(b.request, command.DeleteUser{Caller: b.root, ID: want[2]}))
	b.registered(t, "new@example.com")

	second := next(first.Next)
	require.Equal(t, want[3:6], ids(second.Users))
	third := next(second.Next)
	require.Equal(t, want[6:], ids(third.Users))
	require.Nil(t, third.Next)
}
