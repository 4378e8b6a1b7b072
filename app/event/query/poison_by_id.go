package query

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/event"
)

// PoisonByID asks for one poison message.
type PoisonByID struct {
	ID uuid.UUID
}

// PoisonByIDHandler handles PoisonByID.
type PoisonByIDHandler struct {
	store Store
}

// NewPoisonByIDHandler returns a handler on store.
func NewPoisonByIDHandler(store Store) *PoisonByIDHandler { return &PoisonByIDHandler{store: store} }

// Handle reads the message, with its metadata. The error is event.ErrPoisonNotFound where there is none of that ID.
func (h *PoisonByIDHandler) Handle(ctx context.Context, q PoisonByID) (event.Poison, error) {
	poison, err := h.store.PoisonMessage(ctx, q.ID)
	if err != nil {
		return event.Poison{}, fmt.Errorf("get poison message %s: %w", q.ID, err)
	}
	return poison, nil
}
