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

func lastAdmin(t *testing.T, b *bench) {
	last := b.admin(t, "root@example.com")
	_, err := b.update.Handle(b.request, command.UpdateUser{Caller: caller(last), ID: last.ID, Role: new(principal.RoleUser)})
	require.ErrorIs(t, err, user.ErrLastAdmin)
	require.ErrorIs(t, b.delete.Handle(b.request, command.DeleteUser{Caller: caller(last), ID: last.ID}), user.ErrLastAdmin)
	b.requireStored(t, last)
	require.Len(t, b.published(t, last.ID), 2)

	same, err := b.update.Handle(b.request, command.UpdateUser{Caller: caller(last), ID: last.ID, Role: new(principal.RoleAdmin)})
	require.NoError(t, err, "to stay an admin is no demotion")
	require.Equal(t, last, same)
	plain := b.registered(t, "ada@example.com")
	require.NoError(t, b.delete.Handle(b.request, command.DeleteUser{Caller: caller(last), ID: plain.ID}))

	second := b.admin(t, "second@example.com")
	_, err = b.update.Handle(b.request, command.UpdateUser{Caller: caller(second), ID: last.ID, Role: new(principal.RoleUser)})
	require.NoError(t, err, "with another admin it is not the last")
	require.ErrorIs(t, b.delete.Handle(b.request, command.DeleteUser{Caller: caller(second), ID: second.ID}), user.ErrLastAdmin)
}

// adminsRaced has two last admins end each other at the same moment, in each of the ways there are.
func adminsRaced(t *testing.T, b *bench) {
	demote := func(by, whom user.User) error {
		_, err := b.update.Handle(b.request, command.UpdateUser{Caller: caller(by), ID: whom.ID, Role: new(principal.RoleUser)})
		return err
	}
	remove := func(by, whom user.User) error {
		return b.delete.Handle(b.request, command.DeleteUser{Caller: caller(by), ID: whom.ID})
	}
	ways := [][2]func(by, whom user.User) error{{demote, demote}, {demote, remove}, {remove, remove}}
	kept := b.admin(t, "admin@example.com")
	for round := range 30 {
		other := b.admin(t, fmt.Sprintf("admin%d@example.com", round))
		way := ways[round%len(ways)]
		var (
			both   sync.WaitGroup
			errs   [2]error
			begins = make(chan struct{})
		)
		both.Go(func() { <-begins; errs[0] = way[0](kept, other) })
		both.Go(func() { <-begins; errs[1] = way[1](other, kept) })
		close(begins)
		both.Wait()
		if errs[0] == nil {
			require.ErrorIs(t, errs[1], user.ErrLastAdmin)
		} else {
			require.ErrorIs(t, errs[0], user.ErrLastAdmin)
			require.NoError(t, errs[1])
			kept = other
		}
		require.Equal(t, principal.RoleAdmin, b.stored(t, kept.ID).Role)
	}
}

// adminsCrowd has everybody end everybody: each admin is named by four callers, each time by another one.
func adminsCrowd(t *testing.T, b *bench) {
	admins := make([]user.User, 16)
	for i := range admins {
		admins[i] = b.admin(t, fmt.Sprintf("admin%d@example.com", i))
	}
	last := 0
	for _, err := range atOnce(func(i int) error {
		by, whom := caller(admins[(i+1+i/16)%16]), admins[i%16]
		if i/16%2 == 0 {
			return b.delete.Handle(b.request, command.DeleteUser{Caller: by, ID: whom.ID})
		}
		_, err := b.update.Handle(b.request, command.UpdateUser{Caller: by, ID: whom.ID, Role: new(principal.RoleUser)})
		return err
	}) {
		switch {
		case errors.Is(err, user.ErrLastAdmin):
			last++
		case err != nil:
			require.ErrorIs(t, err, user.ErrNotFound)
		}
	}
	require.Positive(t, last)
	var left user.Admins
	require.NoError(t, b.Store.Atomically(b.request, func(ctx context.Context, tx command.Tx) (err error) {
		left, err = tx.Admins(ctx)
		return err
	}))
	require.Len(t, left, 1)
}

func firstAdmin(t *testing.T, b *bench) {
	var (
		replicas sync.WaitGroup
		made     atomic.Int64
		failed   atomic.Value
	)
	for range 8 {
		replicas.Go(func() {
			did, err := b.ensure.Handle(b.request, command.EnsureAdmin{Email: "admin@localhost", Password: password})
			if err != nil {
				failed.Store(err)
			}
			if did {
				made.Add(1)
			}
		})
	}
	replicas.Wait()
	require.Nil(t, failed.Load())
	require.EqualValues(t, 1, made.Load())
	admin, err := b.Store.ByEmail(b.request, "admin@localhost")
	require.NoError(t, err)
	require.Equal(t, principal.RoleAdmin, admin.Role)
	require.Len(t, b.Published(t), 1)
	require.Equal(t, []string{contract.TypeUserCreated}, b.publishedTypes(t, admin.ID))
}

func firstAdminOnce(t *testing.T, b *bench) {
	holder := b.registered(t, "admin@localhost")
	_, err := b.ensure.Handle(b.request, command.EnsureAdmin{Email: "admin@localhost", Password: password})
	require.ErrorIs(t, err, user.ErrEmailTaken, "nobody becomes an admin by having registered first")
	b.requireStored(t, holder)

	made, err := b.ensure.Handle(b.request, command.EnsureAdmin{Email: "root@localhost", Password: password})
	require.NoError(t, err)
	require.True(t, made)
	spent := b.hasher.spent.Load()
	made, err = b.ensure.Handle(b.request, command.EnsureAdmin{Email: "other@localhost", Password: password})
	require.NoError(t, err)
	require.False(t, made)
	require.Equal(t, spent, b.hasher.spent.Load(), "a later start costs no hash")

	page, err := b.list.Handle(b.request, query.Users{Caller: b.root, Limit: 10})
	require.NoError(t, err)
	require.Len(t, page.Users, 2)
}

func firstAdminMeanwhile(t *testing.T, b *bench) {
	b.hasher.meanwhile = func() { b.admin(t, "first@localhost") }
	made, err := b.ensure.Handle(b.request, command.EnsureAdmin{Email: "second@localhost", Password: password})
	require.NoError(t, err)
	require.False(t, made)
	_, err = b.Store.ByEmail(b.request, "second@localhost")
	require.ErrorIs(t, err, user.ErrNotFound)
}
