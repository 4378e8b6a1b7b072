package usertest

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/app/user/query"
)

func registeredIsReadBack(t *testing.T, b *bench) {
	u := b.registered(t, " Ada@Example.COM ")
	require.Equal(t, "ada@example.com", u.Email)
	require.Equal(t, principal.RoleUser, u.Role)
	require.EqualValues(t, 1, u.Version)
	b.requireStored(t, u)
	own, err := b.byID.Handle(b.request, query.UserByID{Caller: caller(u), ID: u.ID})
	require.NoError(t, err)
	require.Equal(t, u, own)

	events := b.published(t, u.ID)
	require.Len(t, events, 1)
	require.Equal(t, contract.TypeUserCreated, events[0].Type)
	require.Equal(t, contract.SourceUser, events[0].Source)
	require.Equal(t, requestID, events[0].CorrelationID)
	created, err := contract.Decode[contract.UserCreated](events[0])
	require.NoError(t, err)
	require.Equal(t, "user", created.Role)
	require.True(t, u.CreatedAt.Equal(created.CreatedAt))
}

func longestValues(t *testing.T, b *bench) {
	c := command.RegisterUser{
		Email:    strings.Repeat("a", 64) + "@" + strings.Repeat(strings.Repeat("d", 62)+".", 3),
		Name:     strings.Repeat("\U0001F4DA", user.MaxName),
		Password: strings.Repeat("ß", user.MaxPassword),
	}
	c.Email = c.Email[:user.MaxEmail-1] + "z"
	u, err := b.register.Handle(b.request, c)
	require.NoError(t, err)
	require.Len(t, u.Email, user.MaxEmail)
	b.requireStored(t, u)
}

func brokenRegistration(t *testing.T, b *bench) {
	_, err := b.register.Handle(b.request, command.RegisterUser{Email: "no address", Name: " ", Password: "short"})
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	require.Zero(t, b.hasher.spent.Load())
	require.Empty(t, b.Published(t))
}

func emailTaken(t *testing.T, b *bench) {
	b.registered(t, "ada@example.com")
	bob := b.registered(t, "bob@example.com")
	_, err := b.register.Handle(b.request, command.RegisterUser{Email: "ADA@example.com", Name: "Ada", Password: password})
	require.ErrorIs(t, err, user.ErrEmailTaken)

	taken := "Ada@Example.com"
	_, err = b.update.Handle(b.request, command.UpdateUser{Caller: caller(bob), ID: bob.ID, Email: &taken, CurrentPassword: password})
	require.ErrorIs(t, err, user.ErrEmailTaken)
	b.requireStored(t, bob)
	require.Len(t, b.Published(t), 2)
}

func emailRaced(t *testing.T, b *bench) {
	var (
		callers     sync.WaitGroup
		made, taken atomic.Int64
	)
	for range 16 {
		callers.Go(func() {
			_, err := b.register.Handle(b.request, command.RegisterUser{Email: "ada@example.com", Name: "Ada", Password: password})
			switch {
			case err == nil:
				made.Add(1)
			case fault.KindOf(err) == fault.Conflict:
				taken.Add(1)
			}
		})
	}
	callers.Wait()
	require.EqualValues(t, 1, made.Load())
	require.EqualValues(t, 15, taken.Load())
	require.Len(t, b.Published(t), 1)
}

func changed(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	b.at = b.at.Add(time.Minute)
	name := "  Augusta Ada King "
	changed, err := b.update.Handle(b.request, command.UpdateUser{Caller: caller(u), ID: u.ID, Name: &name})
	require.NoError(t, err)
	require.Equal(t, "Augusta Ada King", changed.Name)
	require.Equal(t, u.Email, changed.Email, "what is absent stays")
	require.EqualValues(t, 2, changed.Version)
	require.True(t, changed.UpdatedAt.After(changed.CreatedAt))
	b.requireStored(t, changed)

	events := b.published(t, u.ID)
	require.Len(t, events, 2)
	require.Equal(t, contract.TypeUserUpdated, events[1].Type)
	for _, e := range events {
		require.NotContains(t, string(e.Data), "Ada")
		require.NotContains(t, string(e.Data), "ada@")
		require.NotContains(t, string(e.Data), "hash")
	}
}

func unchanged(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	email, name := "ADA@example.com", u.Name
	same, err := b.update.Handle(b.request, command.UpdateUser{Caller: caller(u), ID: u.ID, Email: &email, Name: &name})
	require.NoError(t, err, "the same e-mail address needs no password")
	require.Equal(t, u, same)
	b.requireStored(t, u)
	require.Len(t, b.published(t, u.ID), 1)
}

func emailConfirmed(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	email := "ada@new.example"
	c := command.UpdateUser{Caller: caller(u), ID: u.ID, Email: &email}
	_, err := b.update.Handle(b.request, c)
	require.ErrorIs(t, err, user.ErrPasswordMissing)
	c.CurrentPassword = "wrong password"
	_, err = b.update.Handle(b.request, c)
	require.ErrorIs(t, err, user.ErrWrongPassword)
	b.requireStored(t, u)

	c.CurrentPassword = password
	u, err = b.update.Handle(b.request, c)
	require.NoError(t, err)
	require.Equal(t, email, u.Email)
	b.requireStored(t, u)
	require.Len(t, b.published(t, u.ID), 2)
}

// meanwhile is a store on which something else happens right after a read.
type meanwhile struct {
	command.Store

	happens func()
}

func (m meanwhile) ByID(ctx context.Context, id uuid.UUID) (user.User, error) {
	u, err := m.Store.ByID(ctx, id)
	m.happens()
	return u, err
}

func confirmationOutdated(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	b.on(meanwhile{b.Store, func() {
		require.NoError(t, b.Store.Atomically(b.request, func(ctx context.Context, tx command.Tx) error {
			stored, err := tx.ForUpdate(ctx, u.ID)
			if err != nil {
				return err
			}
			stored.PasswordHash = "hash of another password"
			stored.Version++
			return tx.Update(ctx, stored)
		}))
	}})
	_, err := b.update.Handle(b.request, command.UpdateUser{
		Caller: caller(u), ID: u.ID, Email: new("ada@new.example"), CurrentPassword: password,
	})
	require.ErrorIs(t, err, user.ErrChanged)
	require.Equal(t, "ada@example.com", b.stored(t, u.ID).Email)
}

func emailByAdmin(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	email := "ada@new.example"
	u, err := b.update.Handle(b.request, command.UpdateUser{Caller: b.root, ID: u.ID, Email: &email})
	require.NoError(t, err)
	require.Equal(t, email, u.Email)

	admin := b.admin(t, "root@example.com")
	_, err = b.update.Handle(b.request, command.UpdateUser{Caller: caller(admin), ID: admin.ID, Email: new("boss@example.com")})
	require.ErrorIs(t, err, user.ErrPasswordMissing, "an admin's own is no exception")
}

func roleGiven(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	_, err := b.update.Handle(b.request, command.UpdateUser{Caller: caller(u), ID: u.ID, Role: new(principal.RoleAdmin)})
	require.ErrorIs(t, err, user.ErrRole)
	_, err = b.update.Handle(b.request, command.UpdateUser{Caller: b.root, ID: u.ID, Role: new(principal.Role("king"))})
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	b.requireStored(t, u)

	u, err = b.update.Handle(b.request, command.UpdateUser{Caller: b.root, ID: u.ID, Role: new(principal.RolePublisher)})
	require.NoError(t, err)
	b.requireStored(t, u)
	updated, err := contract.Decode[contract.UserUpdated](b.published(t, u.ID)[1])
	require.NoError(t, err)
	require.Equal(t, "publisher", updated.Role)
}

func foreign(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	stranger := principal.Principal{UserID: newID(), Role: principal.RoleOperator}
	_, err := b.byID.Handle(b.request, query.UserByID{Caller: stranger, ID: u.ID})
	require.ErrorIs(t, err, user.ErrNotFound)
	_, err = b.update.Handle(b.request, command.UpdateUser{Caller: stranger, ID: u.ID, Name: new("Eve")})
	require.ErrorIs(t, err, user.ErrNotFound)
	require.ErrorIs(t, b.delete.Handle(b.request, command.DeleteUser{Caller: stranger, ID: u.ID}), user.ErrNotFound)
	b.requireStored(t, u)

	missing := newID()
	_, err = b.byID.Handle(b.request, query.UserByID{Caller: b.root, ID: missing})
	require.ErrorIs(t, err, user.ErrNotFound)
	_, err = b.update.Handle(b.request, command.UpdateUser{Caller: b.root, ID: missing, Name: new("Nobody")})
	require.ErrorIs(t, err, user.ErrNotFound)
	require.ErrorIs(t, b.delete.Handle(b.request, command.DeleteUser{Caller: b.root, ID: missing}), user.ErrNotFound)
}

func deleted(t *testing.T, b *bench) {
	u := b.registered(t, "ada@example.com")
	require.NoError(t, b.delete.Handle(b.request, command.DeleteUser{Caller: caller(u), ID: u.ID}))
	_, err := b.byID.Handle(b.request, query.UserByID{Caller: b.root, ID: u.ID})
	require.ErrorIs(t, err, user.ErrNotFound)
	_, err = b.Store.ByEmail(b.request, u.Email)
	require.ErrorIs(t, err, user.ErrNotFound)
	require.ErrorIs(t, b.delete.Handle(b.request, command.DeleteUser{Caller: caller(u), ID: u.ID}), user.ErrNotFound)

	events := b.published(t, u.ID)
	require.Len(t, events, 2)
	gone, err := contract.Decode[contract.UserDeleted](events[1])
	require.NoError(t, err)
	require.Equal(t, contract.TypeUserDeleted, events[1].Type)
	require.EqualValues(t, 2, gone.Version)
	require.Equal(t, uuid.UUID(u.ID).String(), gone.ID)

	again := b.registered(t, "ada@example.com")
	require.NotEqual(t, u.ID, again.ID)
}
