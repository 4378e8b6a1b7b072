package command

import (
	"context"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
)

// EndSessions ends all sessions of a user, including the caller's own.
type EndSessions struct {
	Caller principal.Principal
	UserID uuid.UUID
}

// EndSessionsHandler handles EndSessions.
type EndSessionsHandler struct{ store Store }

// NewEndSessionsHandler returns a handler on store.
func NewEndSessionsHandler(store Store) *EndSessionsHandler { return &EndSessionsHandler{store: store} }

// Handle ends the sessions: refresh tokens at once, access tokens when they expire. The error is user.ErrNotFound for a caller who is
// neither the user nor an admin.
func (h *EndSessionsHandler) Handle(ctx context.Context, c EndSessions) error {
	if !c.Caller.Owns(c.UserID) {
		return user.ErrNotFound
	}
	return h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		if _, err := tx.ForUpdate(ctx, c.UserID); err != nil { // and nobody signs in meanwhile
			return err
		}
		return tx.EndSessions(ctx, c.UserID, 0, uuid.Nil)
	})
}
