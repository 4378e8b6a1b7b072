package command

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/version"
)

// DeleteUser removes an account and everything personal with it.
type DeleteUser struct {
	Caller   principal.Principal
	ID       uuid.UUID
	Expected version.Expected
}

// DeleteUserHandler handles DeleteUser.
type DeleteUserHandler struct {
	store Store
	now   func() time.Time
}

// NewDeleteUserHandler returns a handler on store.
func NewDeleteUserHandler(store Store, now func() time.Time) *DeleteUserHandler {
	return &DeleteUserHandler{store: store, now: now}
}

// Handle erases the account's row and stores its event user.deleted.v1, which tells the other services. The error is user.ErrNotFound
// for a caller who is neither the user nor an admin, version.ErrMoved at another version than expected, and user.ErrLastAdmin where
// nobody would be left in charge.
func (h *DeleteUserHandler) Handle(ctx context.Context, c DeleteUser) error {
	if !c.Caller.Owns(c.ID) {
		return user.ErrNotFound
	}
	return h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		admins, err := tx.Admins(ctx)
		if err != nil {
			return err
		}
		u, err := tx.ForUpdate(ctx, c.ID)
		if err != nil {
			return err
		}
		if err := c.Expected.Check(u.Version); err != nil {
			return err
		}
		if err := admins.Spare(u.ID); err != nil {
			return err
		}
		deleted := u.Delete(h.now())
		if err := tx.Delete(ctx, u.ID); err != nil {
			return err
		}
		return tx.Publish(ctx, u.Sequence, deleted)
	})
}
