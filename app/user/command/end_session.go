package command

import (
	"context"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
)

// EndSession ends one of the caller's own sessions.
type EndSession struct {
	Caller principal.Principal
	ID     uuid.UUID
}

// EndSessionHandler handles EndSession.
type EndSessionHandler struct{ store Store }

// NewEndSessionHandler returns a handler on store.
func NewEndSessionHandler(store Store) *EndSessionHandler { return &EndSessionHandler{store: store} }

// Handle ends the session: its refresh tokens at once, its access tokens when they expire. To anyone but its user it does not exist:
// user.ErrSessionNotFound.
func (h *EndSessionHandler) Handle(ctx context.Context, c EndSession) error {
	return h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		s, err := tx.SessionForUpdate(ctx, c.ID)
		if err != nil {
			return err
		}
		if s.UserID != c.Caller.UserID {
			return user.ErrSessionNotFound
		}
		return tx.EndSession(ctx, s.ID)
	})
}
