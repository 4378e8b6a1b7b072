package command

import (
	"context"
	"time"

	"github.com/millrace/millrace/app/limit"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
)

// ChangePassword gives the caller's own account another password.
type ChangePassword struct {
	Caller  principal.Principal
	ID      uuid.UUID
	Current string
	New     string
	Network string // what is limited as one address
}

// ChangePasswordHandler handles ChangePassword.
type ChangePasswordHandler struct {
	store  Store
	hasher Hasher
	guard  *Guard
	now    func() time.Time
}

// NewChangePasswordHandler returns a handler on store.
func NewChangePasswordHandler(store Store, hasher Hasher, guard *Guard, now func() time.Time) *ChangePasswordHandler {
	return &ChangePasswordHandler{store: store, hasher: hasher, guard: guard, now: now}
}

// Handle stores the password and ends every session but the caller's own. For another's account the error is user.ErrNotFound or, to an
// admin, user.ErrPasswordForbidden. It is user.ErrChanged where the password changed between the check and the transaction, and
// otherwise user.ErrWrongPassword, user.ErrTooManyAttempts or user.ErrSamePassword.
func (h *ChangePasswordHandler) Handle(ctx context.Context, c ChangePassword) error {
	if c.Caller.UserID != c.ID {
		if c.Caller.Admin() {
			return user.ErrPasswordForbidden
		}
		return user.ErrNotFound
	}
	u, err := h.store.ByID(ctx, c.ID)
	if err != nil {
		return err
	}
	password, err := u.CheckPassword("body.new_password", c.New)
	if err != nil {
		return err
	}
	if err := h.confirm(ctx, u, c); err != nil {
		return err
	}
	hash, err := h.hasher.Hash(ctx, limit.Origin{Network: c.Network, Known: true}, password)
	if err != nil {
		return err
	}
	return h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		return h.change(ctx, tx, c, u.PasswordHash, hash)
	})
}

// confirm asks for the current password: a stolen access token must not be enough to take the account over.
func (h *ChangePasswordHandler) confirm(ctx context.Context, u user.User, c ChangePassword) error {
	current := user.NormalPassword(c.Current)
	a := attempt{account: u.ID, email: u.Email, network: c.Network, signedIn: true}
	fits, err := h.guard.check(ctx, a, func(from limit.Origin) (bool, error) {
		return h.hasher.Verify(ctx, from, u.PasswordHash, current)
	})
	if err != nil {
		return err
	}
	if !fits {
		return user.ErrWrongPassword
	}
	if current == user.NormalPassword(c.New) {
		return user.ErrSamePassword
	}
	return nil
}

func (h *ChangePasswordHandler) change(ctx context.Context, tx Tx, c ChangePassword, confirmed, hash string) error {
	u, err := tx.ForUpdate(ctx, c.ID)
	if err != nil {
		return err
	}
	if u.PasswordHash != confirmed {
		return user.ErrChanged
	}
	u.ChangePassword(hash, h.now())
	if err := tx.Update(ctx, u); err != nil {
		return err
	}
	current, err := uuid.Parse(c.Caller.Session)
	if err != nil {
		current = uuid.Nil // a token without a session keeps none
	}
	return tx.EndSessions(ctx, u.ID, 0, current)
}
