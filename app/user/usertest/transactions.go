package usertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/app/user/query"
)

// crowd has 64 callers change one account. Each change must have its version and its event, and no two the same.
func crowd(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	var (
		callers  sync.WaitGroup
		versions sync.Map
		failed   atomic.Value
	)
	for i := range 64 {
		callers.Go(func() {
			name := fmt.Sprint("Ada ", i)
			answer, err := b.update.Handle(b.request, command.UpdateUser{Caller: caller(u), ID: u.ID, Name: &name})
			if err != nil {
				failed.Store(err)
				return
			}
			versions.Store(answer.Version, name)
		})
	}
	callers.Wait()
	require.Nil(t, failed.Load())
	final := b.stored(t, u.ID)
	require.EqualValues(t, 65, final.Version)
	require.EqualValues(t, 65, final.Sequence)
	require.Len(t, b.published(t, u.ID), 65)
	for version := int64(2); version <= 65; version++ {
		name, ok := versions.Load(version)
		require.True(t, ok, "version %d was given to nobody", version)
		if version == 65 {
			require.Equal(t, name, final.Name, "the last change is what stays")
		}
	}
}

func undone(t *testing.T, b *bench) {
	refusal := errors.New("refused at the end")
	applicant, err := user.Apply("ada@example.com", "Ada", password)
	require.NoError(t, err)
	u, created := applicant.Register(newID(), "hash", principal.RoleUser, b.at)
	err = b.Store.Atomically(b.request, func(ctx context.Context, tx command.Tx) error {
		if err := tx.Insert(ctx, u); err != nil {
			return err
		}
		if err := tx.Publish(ctx, u.Sequence, created); err != nil {
			return err
		}
		return refusal
	})
	require.ErrorIs(t, err, refusal)
	_, err = b.Store.ByID(b.request, u.ID)
	require.ErrorIs(t, err, user.ErrNotFound)
	require.Empty(t, b.Published(t))
}

// repeating is a store whose every closure runs once for nothing, as after a deadlock, before it counts.
type repeating struct{ command.Store }

var errDeadlock = errors.New("a deadlock, as far as the closure can tell")

func (r repeating) Atomically(ctx context.Context, fn func(ctx context.Context, tx command.Tx) error) error {
	err := r.Store.Atomically(ctx, func(ctx context.Context, tx command.Tx) error {
		if err := fn(ctx, tx); err != nil {
			return err
		}
		return errDeadlock
	})
	if !errors.Is(err, errDeadlock) {
		return err
	}
	return r.Store.Atomically(ctx, fn)
}

func twice(t *testing.T, b *bench) {
	b.on(repeating{b.Store})
	made, err := b.ensure.Handle(b.request, command.EnsureAdmin{Email: "admin@localhost", Password: password})
	require.NoError(t, err)
	require.True(t, made)
	u := b.registered(t, "ada@example.com")
	u, err = b.update.Handle(b.request, command.UpdateUser{Caller: caller(u), ID: u.ID, Name: new("Augusta")})
	require.NoError(t, err)
	require.EqualValues(t, 2, u.Version)
	b.requireStored(t, u)
	require.NoError(t, b.delete.Handle(b.request, command.DeleteUser{Caller: b.root, ID: u.ID}))
	require.Equal(t, []string{contract.TypeUserCreated, contract.TypeUserUpdated, contract.TypeUserDeleted}, b.publishedTypes(t, u.ID))
	require.Len(t, b.Published(t), 4)
}

func gaveUp(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	ctx, cancel := context.WithCancel(b.request)
	cancel()
	_, err := b.register.Handle(ctx, command.RegisterUser{Email: "bob@example.com", Name: "Bob", Password: password})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, b.delete.Handle(ctx, command.DeleteUser{Caller: caller(u), ID: u.ID}), context.Canceled)
	_, err = b.byID.Handle(ctx, query.UserByID{Caller: caller(u), ID: u.ID})
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.list.Handle(ctx, query.Users{Caller: b.root, Limit: 10})
	require.ErrorIs(t, err, context.Canceled)
	b.requireStored(t, u)
	require.Len(t, b.Published(t), 1)
}
