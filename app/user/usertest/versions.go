package usertest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/app/version"
)

func otherVersion(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	name := "Ada King"
	change := func(expected version.Expected) (user.User, error) {
		return b.update.Handle(b.request, command.UpdateUser{Caller: caller(u), ID: u.ID, Name: &name, Expected: expected})
	}
	remove := func(expected version.Expected) error {
		return b.delete.Handle(b.request, command.DeleteUser{Caller: b.root, ID: u.ID, Expected: expected})
	}
	for _, expected := range []version.Expected{{}, {0}, {2}} {
		_, err := change(expected)
		require.ErrorIs(t, err, version.ErrMoved)
		require.ErrorIs(t, remove(expected), version.ErrMoved)
	}
	b.requireStored(t, u)
	require.Len(t, b.published(t, u.ID), 1)

	changed, err := change(version.Expected{3, 1})
	require.NoError(t, err)
	require.EqualValues(t, 2, changed.Version)
	require.NoError(t, remove(version.Expected{2}))
	require.ErrorIs(t, remove(version.Expected{2}), user.ErrNotFound)
}

// movedAdmin is refused for the version before the rule about the last admin is looked at.
func movedAdmin(t *testing.T, b *bench) {
	u := b.admin(t, "root@example.com")
	role := principal.RoleUser
	for expected, want := range map[int64]error{1: version.ErrMoved, 2: user.ErrLastAdmin} {
		_, err := b.update.Handle(b.request, command.UpdateUser{
			Caller: b.root, ID: u.ID, Role: &role, Expected: version.Expected{expected},
		})
		require.ErrorIs(t, err, want)
		err = b.delete.Handle(b.request, command.DeleteUser{Caller: b.root, ID: u.ID, Expected: version.Expected{expected}})
		require.ErrorIs(t, err, want)
	}
	b.requireStored(t, u)
}

func carefulCrowd(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	var (
		callers    sync.WaitGroup
		won, moved atomic.Int64
		winner     atomic.Value
	)
	for i := range 64 {
		callers.Go(func() {
			name := fmt.Sprint("Ada ", i)
			_, err := b.update.Handle(b.request, command.UpdateUser{
				Caller: caller(u), ID: u.ID, Name: &name, Expected: version.Expected{1},
			})
			switch {
			case err == nil:
				won.Add(1)
				winner.Store(name)
			case errors.Is(err, version.ErrMoved):
				moved.Add(1)
			}
		})
	}
	callers.Wait()
	require.EqualValues(t, 1, won.Load())
	require.EqualValues(t, 63, moved.Load())
	final := b.stored(t, u.ID)
	require.Equal(t, winner.Load(), final.Name)
	require.EqualValues(t, 2, final.Version)
	require.Len(t, b.published(t, u.ID), 2)
}
