package query

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/event"
)

// GetPoison asks for one poison message.
type GetPoison struct {
	ID uuid.UUID
}

// GetPoisonHandler handles GetPoison.
type GetPoisonHandler struct {
	store Store
}

// NewGetPoisonHandler makes a GetPoisonHandler.
func NewGetPoisonHandler(store Store) *GetPoisonHandler { return &GetPoisonHandler{store: store} }

// Handle reads the message, with its metadata. The error is event.ErrPoisonNotFound where there is none of that ID.
func (h *GetPoisonHandler) Handle(ctx context.Context, q GetPoison) (event.Poison, error) {
	poison, err := h.store.PoisonMessage(ctx, q.ID)
	if err != nil {
		return event.Poison{}, fmt.Errorf("get poison message %s: %w", q.ID, err)
	}
	return poison, nil
}
