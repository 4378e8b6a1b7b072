package usertest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/limit"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
)

func knownOrigins(t *testing.T, b *bench) {
	b.limited()
	const home, away = "192.0.2.1/32", "198.51.100.1/32"
	_, err := b.register.Handle(b.request, command.RegisterUser{Email: "ada@example.com", Name: "Ada", Password: password, Network: home})
	require.NoError(t, err)
	require.Equal(t, limit.Origin{Network: home}, b.hasher.from.Load())
	require.NoError(t, b.guess(t, "ada@example.com", password, home))
	require.Equal(t, limit.Origin{Network: home}, b.hasher.from.Load(), "the first time")
	require.ErrorIs(t, b.guess(t, "ada@example.com", "wrong password", home), user.ErrSignIn)
	require.Equal(t, limit.Origin{Network: home, Known: true}, b.hasher.from.Load())
	require.ErrorIs(t, b.guess(t, "ada@example.com", "wrong password", away), user.ErrSignIn)
	require.Equal(t, limit.Origin{Network: away}, b.hasher.from.Load())
	require.ErrorIs(t, b.guess(t, "bob@example.com", "wrong password", home), user.ErrSignIn)
	require.Equal(t, limit.Origin{Network: home}, b.hasher.from.Load(), "known for one account is not known for another")
}

// writes counts how often limits were written.
type writes struct {
	command.Limits

	n int
}

func (w *writes) Take(ctx context.Context, bucket string, rule limit.Rule, n int) (time.Duration, error) {
	w.n++
	return w.Limits.Take(ctx, bucket, rule, n)
}

func noRoom(t *testing.T, b *bench) {
	counted := &writes{Limits: b.Limits(func() time.Time { return b.at })}
	b.under(b.Store, counted)
	b.registered(t, "ada@example.com")
	b.hasher.full = fault.New(fault.Unavailable, "busy", "Too many sign-ins at this moment.")
	for _, email := range []string{"ada@example.com", "nobody@example.com"} {
		_, err := b.signIn.Handle(b.request, command.SignIn{Email: email, Password: password, Network: "192.0.2.1/32"})
		require.ErrorIs(t, err, b.hasher.full)
	}
	require.Zero(t, counted.n, "a flood is refused before it writes")
	b.hasher.full = nil
	require.NoError(t, b.guess(t, "ada@example.com", password, "192.0.2.1/32"))
}
