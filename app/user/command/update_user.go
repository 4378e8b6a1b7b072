package command

import (
	"context"
	"time"

	"github.com/millrace/millrace/app/limit"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/version"
)

// UpdateUser changes an account; what is nil stays. To change one's own e-mail address takes CurrentPassword: a stolen access token must
// not be enough to take the account over.
type UpdateUser struct {
	Caller          principal.Principal
	ID              uuid.UUID
	Email           *string
	Name            *string
	Role            *principal.Role
	CurrentPassword string
	Network         string // what is limited as one address
	Expected        version.Expected
}

// UpdateUserHandler handles UpdateUser.
type UpdateUserHandler struct {
	store  Store
	hasher Hasher
	guard  *Guard
	now    func() time.Time
}

// NewUpdateUserHandler returns a handler on store.
func NewUpdateUserHandler(store Store, hasher Hasher, guard *Guard, now func() time.Time) *UpdateUserHandler {
	return &UpdateUserHandler{store: store, hasher: hasher, guard: guard, now: now}
}

// Handle stores the change with its event user.updated.v1 and gives the account after it. A change of nothing stores nothing
// and publishes nothing.
//
// The error is user.ErrNotFound for a caller who is neither the user nor an admin, and user.ErrRole for one who names a role without being
// an admin. An e-mail address that is not confirmed gives user.ErrPasswordMissing, user.ErrWrongPassword or user.ErrTooManyAttempts;
// user.ErrChanged says that the password was changed after it had been checked. The others are version.ErrMoved, user.ErrEmailTaken and
// user.ErrLastAdmin.
func (h *UpdateUserHandler) Handle(ctx context.Context, c UpdateUser) (user.User, error) {
	if !c.Caller.Owns(c.ID) {
		return user.User{}, user.ErrNotFound
	}
	if c.Role != nil && !c.Caller.Admin() {
		return user.User{}, user.ErrRole
	}
	confirmed, err := h.confirmed(ctx, c)
	if err != nil {
		return user.User{}, err
	}
	var u user.User
	err = h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		u, err = h.update(ctx, tx, c, confirmed)
		return err
	})
	if err != nil {
		return user.User{}, err
	}
	return u, nil
}

func (h *UpdateUserHandler) update(ctx context.Context, tx Tx, c UpdateUser, confirmed string) (user.User, error) {
	admins, err := h.admins(ctx, tx, c)
	if err != nil {
		return user.User{}, err
	}
	u, err := tx.ForUpdate(ctx, c.ID)
	if err != nil {
		return user.User{}, err
	}
	if err := c.Expected.Check(u.Version); err != nil {
		return user.User{}, err
	}
	if c.renames(u) && u.PasswordHash != confirmed {
		return user.User{}, user.ErrChanged
	}
	change := user.Change{Email: c.Email, Name: c.Name, Role: c.Role}
	if change.Demotes(u) {
		if err := admins.Spare(u.ID); err != nil {
			return user.User{}, err
		}
	}
	updated, err := u.Change(change, h.now())
	if err != nil || updated == nil {
		return u, err
	}
	if err := tx.Update(ctx, u); err != nil {
		return user.User{}, err
	}
	return u, tx.Publish(ctx, u.Sequence, updated)
}

// admins locks the admins if c may leave one fewer.
func (h *UpdateUserHandler) admins(ctx context.Context, tx Tx, c UpdateUser) (user.Admins, error) {
	if c.Role == nil {
		return nil, nil
	}
	return tx.Admins(ctx)
}

// confirmed gives the password hash that the caller's current password fits, empty where c needs none. It runs before the
// transaction, which then asks that the hash is still the account's.
func (h *UpdateUserHandler) confirmed(ctx context.Context, c UpdateUser) (string, error) {
	if c.Email == nil || c.Caller.UserID != c.ID {
		return "", nil
	}
	u, err := h.store.ByID(ctx, c.ID)
	if err != nil || !c.renames(u) {
		return "", err
	}
	if c.CurrentPassword == "" {
		return "", user.ErrPasswordMissing
	}
	a := attempt{account: u.ID, email: u.Email, network: c.Network, signedIn: true}
	fits, err := h.guard.check(ctx, a, func(from limit.Origin) (bool, error) {
		return h.hasher.Verify(ctx, from, u.PasswordHash, user.NormalPassword(c.CurrentPassword))
	})
	if err != nil {
		return "", err
	}
	if !fits {
		return "", user.ErrWrongPassword
	}
	return u.PasswordHash, nil
}

// renames reports whether c gives its caller a new e-mail address. An invalid one counts as none: the change itself refuses it.
func (c UpdateUser) renames(u user.User) bool {
	if c.Email == nil || c.Caller.UserID != u.ID {
		return false
	}
	email, ok := user.NormalEmail(*c.Email)
	return ok && email != u.Email
}
