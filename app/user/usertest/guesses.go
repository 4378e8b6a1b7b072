package usertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
)

// guess tries a password from a network, and asks that it costs one hash, or none where it is refused unseen.
func (b *bench) guess(t *testing.T, email, password, network string) error {
	t.Helper()
	spent := b.hasher.spent.Load()
	_, err := b.signIn.Handle(b.request, command.SignIn{Email: email, Password: password, Network: network})
	if errors.Is(err, user.ErrTooManyAttempts) {
		spent--
	}
	require.Equal(t, spent+1, b.hasher.spent.Load())
	return err
}

// waits is how long a refusal says to wait.
func waits(t *testing.T, err error) time.Duration {
	t.Helper()
	require.ErrorIs(t, err, user.ErrTooManyAttempts)
	e, _ := errors.AsType[*fault.Error](err)
	require.Equal(t, fault.Exhausted, e.Kind)
	require.Positive(t, e.RetryAfter)
	return e.RetryAfter
}

func guessedFromOne(t *testing.T, b *bench) {
	b.limited()
	b.registered(t, "ada@example.com")
	b.registered(t, "eve@example.com")
	for _, email := range []string{"ada@example.com", "nobody@example.com"} { // the one as the other
		for range 10 {
			require.ErrorIs(t, b.guess(t, email, "wrong password", "192.0.2.1/32"), user.ErrSignIn)
		}
		require.Equal(t, 90*time.Second, waits(t, b.guess(t, email, password, "192.0.2.1/32")), "the right one is not heard either")
	}
	require.NoError(t, b.guess(t, "ada@example.com", password, "192.0.2.2/32"), "the user is somewhere else")
	require.NoError(t, b.guess(t, "eve@example.com", password, "192.0.2.1/32"), "others share the address")
	b.at = b.at.Add(90 * time.Second)
	require.NoError(t, b.guess(t, "ada@example.com", password, "192.0.2.1/32"))
	require.ErrorIs(t, b.guess(t, "ada@example.com", "wrong password", "192.0.2.1/32"), user.ErrSignIn, "a success costs nothing")
	waits(t, b.guess(t, "ada@example.com", password, "192.0.2.1/32"))
	b.at = b.at.Add(15 * time.Minute)
	for range 10 {
		require.ErrorIs(t, b.guess(t, "ada@example.com", "wrong password", "192.0.2.1/32"), user.ErrSignIn)
	}
	waits(t, b.guess(t, "ADA@example.com ", password, "192.0.2.1/32"))
}

func guessedAtOnce(t *testing.T, b *bench) {
	b.limited()
	b.registered(t, "ada@example.com")
	spent := b.hasher.spent.Load()
	var (
		callers             sync.WaitGroup
		wrong, refused, odd atomic.Int64
	)
	for i := range 1000 {
		callers.Go(func() {
			c := command.SignIn{Email: "ada@example.com", Password: fmt.Sprint("guess ", i), Network: "192.0.2.1/32"}
			_, err := b.signIn.Handle(b.request, c)
			switch {
			case errors.Is(err, user.ErrTooManyAttempts):
				refused.Add(1)
			case errors.Is(err, user.ErrSignIn):
				wrong.Add(1)
			default:
				odd.Add(1)
			}
		})
	}
	callers.Wait()
	require.Equal(t, []int64{10, 990, 0}, []int64{wrong.Load(), refused.Load(), odd.Load()})
	require.EqualValues(t, 10, b.hasher.spent.Load()-spent)
}

func rightAtOnce(t *testing.T, b *bench) {
	b.limited()
	const users, each = 5, 50 // more than may fail, for one account and from one address
	var (
		callers sync.WaitGroup
		failed  = make([]error, users*each)
	)
	for i := range users {
		b.registered(t, fmt.Sprintf("user%d@example.com", i))
	}
	for i := range failed {
		callers.Go(func() {
			c := command.SignIn{Email: fmt.Sprintf("user%d@example.com", i%users), Password: password, Network: "192.0.2.1/32"}
			_, failed[i] = b.signIn.Handle(b.request, c)
		})
	}
	callers.Wait()
	require.NoError(t, errors.Join(failed...))
}

func guessedForMany(t *testing.T, b *bench) {
	b.limited()
	b.registered(t, "ada@example.com")
	for i := range 100 {
		require.ErrorIs(t, b.guess(t, fmt.Sprintf("user%d@example.com", i), "wrong password", "192.0.2.1/32"), user.ErrSignIn)
	}
	require.Equal(t, 9*time.Second, waits(t, b.guess(t, "another@example.com", password, "192.0.2.1/32")))
	waits(t, b.guess(t, "ada@example.com", password, "192.0.2.1/32"))
	require.NoError(t, b.guess(t, "ada@example.com", password, "192.0.2.2/32"))
	b.at = b.at.Add(9 * time.Second)
	require.NoError(t, b.guess(t, "ada@example.com", password, "192.0.2.1/32"))
}

func guessedFromMany(t *testing.T, b *bench) {
	b.limited()
	const home, away = "198.51.100.1/32", "198.51.100.2/32"
	b.registered(t, "ada@example.com")
	require.NoError(t, b.guess(t, "ada@example.com", password, home))
	attack := func(email string) {
		for i := range 30 {
			require.ErrorIs(t, b.guess(t, email, "wrong password", fmt.Sprintf("192.0.2.%d/32", i)), user.ErrSignIn)
		}
	}
	attack("ada@example.com")
	wait := waits(t, b.guess(t, "ada@example.com", password, away))
	require.LessOrEqual(t, wait, 2*time.Second, "slowed and not locked out")
	require.NoError(t, b.guess(t, "ada@example.com", password, home), "not at all from where the user signed in before")
	b.at = b.at.Add(wait)
	require.NoError(t, b.guess(t, "ada@example.com", password, away))
	require.NoError(t, b.guess(t, "ada@example.com", password, away), "and from now on not from there either")

	attack("nobody@example.com")
	require.Equal(t, wait, waits(t, b.guess(t, "nobody@example.com", password, away)), "the same for who has no account")

	b.at = b.at.Add(6*7*24*time.Hour - time.Minute)
	attack("ada@example.com")
	require.NoError(t, b.guess(t, "ada@example.com", password, away), "which prolongs it")
	b.at = b.at.Add(2 * time.Minute)
	attack("ada@example.com")
	waits(t, b.guess(t, "ada@example.com", password, home))
	require.NoError(t, b.guess(t, "ada@example.com", password, away))
}

func guessedCurrent(t *testing.T, b *bench) {
	b.limited()
	const network = "192.0.2.1/32"
	u := b.registered(t, "ada@example.com")
	own := b.signed(t, u.Email)
	change := b.changes(t, u, own)
	change.Network = network
	rename := command.UpdateUser{Caller: change.Caller, ID: u.ID, Email: new("ada@new.example"), Network: network}
	for range 5 {
		change.Current, rename.CurrentPassword = "wrong password", "wrong password"
		require.ErrorIs(t, b.change.Handle(b.request, change), user.ErrWrongPassword)
		_, err := b.update.Handle(b.request, rename)
		require.ErrorIs(t, err, user.ErrWrongPassword)
	}
	change.Current, rename.CurrentPassword = password, password
	waits(t, b.change.Handle(b.request, change))
	_, err := b.update.Handle(b.request, rename)
	waits(t, err)
	waits(t, b.guess(t, u.Email, password, network))
	require.NoError(t, b.guess(t, u.Email, password, "192.0.2.2/32"))
	_, err = b.refreshes(own)
	require.NoError(t, err, "a session goes on")

	b.at = b.at.Add(15 * time.Minute)
	require.NoError(t, b.change.Handle(b.request, change))
}

func notGuessed(t *testing.T, b *bench) {
	b.limited()
	const network = "192.0.2.1/32"
	u := b.registered(t, "ada@example.com")
	for range 30 {
		require.NoError(t, b.guess(t, u.Email, password, network))
	}
	b.hasher.fails = fault.New(fault.Unavailable, "busy", "Too many sign-ins at this moment.")
	for range 30 {
		_, err := b.signIn.Handle(b.request, command.SignIn{Email: u.Email, Password: "wrong password", Network: network})
		require.ErrorIs(t, err, b.hasher.fails)
	}
	b.hasher.fails = nil
	gone, cancel := context.WithCancel(b.request)
	b.hasher.meanwhile = cancel
	_, err := b.signIn.Handle(gone, command.SignIn{Email: u.Email, Password: "wrong password", Network: network})
	require.ErrorIs(t, err, user.ErrSignIn, "who leaves during the check was heard")
	for range 9 {
		require.ErrorIs(t, b.guess(t, u.Email, "wrong password", network), user.ErrSignIn)
	}
	waits(t, b.guess(t, u.Email, password, network))
}
