package usertest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/idempotency"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
)

// once makes a registration a request with a key: that of the first byte, with the body of the second.
func once(key, body byte) command.RegisterUser {
	c := command.RegisterUser{Email: "ada@example.com", Name: "Ada Lovelace", Password: password}
	c.Once.Key.ID[0], c.Once.Key.Fingerprint[0] = key, body
	c.Once.Answer = func(u user.User) (idempotency.Answer, error) {
		return idempotency.Answer{Status: 201, Location: "/here/" + u.ID.String(), ETag: `"1"`, Body: []byte(u.Email)}, nil
	}
	return c
}

func (b *bench) requireReplay(t *testing.T, c command.RegisterUser, u user.User) {
	t.Helper()
	answer, err := c.Once.Answer(u)
	require.NoError(t, err)
	_, err = b.register.Handle(b.request, c)
	var replay *idempotency.Replay
	require.ErrorAs(t, err, &replay)
	require.Equal(t, answer, replay.Answer)
}

func requestAgain(t *testing.T, b *bench) {
	u, err := b.register.Handle(b.request, once(1, 1))
	require.NoError(t, err)
	b.requireReplay(t, once(1, 1), u)
	_, err = b.register.Handle(b.request, once(1, 2))
	require.ErrorIs(t, err, idempotency.ErrReused)
	_, err = b.register.Handle(b.request, once(2, 1))
	require.ErrorIs(t, err, user.ErrEmailTaken, "with another key it is another request")

	b.admin(t, "root@example.com")
	require.NoError(t, b.delete.Handle(b.request, command.DeleteUser{Caller: caller(u), ID: u.ID}))
	other, err := b.register.Handle(b.request, once(2, 1))
	require.NoError(t, err, "the refusal used up no key")
	require.NotEqual(t, u.ID, other.ID)
	_, err = b.register.Handle(b.request, once(1, 3))
	require.ErrorIs(t, err, user.ErrEmailTaken, "the deleted account's answer is gone with it")
}

// lossy commits and loses the answer, as a process does that is killed behind its commit.
type lossy struct{ command.Store }

var errLost = errors.New("killed behind the commit")

func (l lossy) Atomically(ctx context.Context, fn func(ctx context.Context, tx command.Tx) error) error {
	if err := l.Store.Atomically(ctx, fn); err != nil {
		return err
	}
	return errLost
}

func requestLost(t *testing.T, b *bench) {
	b.on(lossy{b.Store})
	_, err := b.register.Handle(b.request, once(1, 1))
	require.ErrorIs(t, err, errLost)
	b.on(b.Store)
	made, err := b.Store.ByEmail(b.request, "ada@example.com")
	require.NoError(t, err)
	b.requireReplay(t, once(1, 1), made)
	require.Len(t, b.Published(t), 1)
}

func requestCrowd(t *testing.T, b *bench) {
	var (
		callers       sync.WaitGroup
		made, replays atomic.Int64
	)
	for range 64 {
		callers.Go(func() {
			_, err := b.register.Handle(b.request, once(1, 1))
			if _, ok := errors.AsType[*idempotency.Replay](err); ok {
				replays.Add(1)
			} else if err == nil {
				made.Add(1)
			} else {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	require.EqualValues(t, 1, made.Load())
	require.EqualValues(t, 63, replays.Load())
	require.Len(t, b.Published(t), 1)
}
