package command

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/event"
)

// RequeuePoison sends a poison message back to the consumer that gave it up.
type RequeuePoison struct {
	ID uuid.UUID
}

// RequeuePoisonHandler handles RequeuePoison.
type RequeuePoisonHandler struct {
	store Store
}

// NewRequeuePoisonHandler returns a handler on store.
func NewRequeuePoisonHandler(store Store) *RequeuePoisonHandler {
	return &RequeuePoisonHandler{store: store}
}

// Handle requeues the message and gives its new state. The decision and the outgoing message are stored together, so it is sent back
// once. The error is event.ErrPoisonNotOpen where somebody decided before. If the consumer fails again, that makes a new poison message.
func (h *RequeuePoisonHandler) Handle(ctx context.Context, c RequeuePoison) (event.Poison, error) {
	var requeued event.Poison
	err := h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		poison, err := tx.PoisonForUpdate(ctx, c.ID)
		if err != nil {
			return err
		}
		if err := poison.Requeue(); err != nil {
			return err
		}
		if err := tx.SetPoisonStatus(ctx, poison); err != nil {
			return err
		}
		requeued = poison
		return tx.SendBack(ctx, poison)
	})
	if err != nil {
		return event.Poison{}, fmt.Errorf("requeue poison message %s: %w", c.ID, err)
	}
	return requeued, nil
}
