package command

import (
	"context"
	"errors"
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
// once. The error is event.ErrPoisonNotOpen where somebody decided before, and event.ErrNotRequeued for a message that a stranger wrote. If
// the consumer fails again, that makes a new poison message.
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
		sent, err := sentBefore(ctx, tx, poison)
		if err != nil {
			return err
		}
		return tx.SendBack(ctx, sent, poison.RequeueID())
	})
	if err != nil {
		return event.Poison{}, fmt.Errorf("requeue poison message %s: %w", c.ID, err)
	}
	return requeued, nil
}

// sentBefore returns the message that goes back for poison: itself, unless its consumer did not believe where it came from. Then it is the
// one that was sent back before, from the poison queue and not from what came in its name. The error is event.ErrNotRequeued where none
// was.
func sentBefore(ctx context.Context, tx Tx, poison event.Poison) (event.Poison, error) {
	if !poison.Unsigned() {
		return poison, nil
	}
	id, ok := poison.RequeueOf()
	if !ok {
		return event.Poison{}, event.ErrNotRequeued
	}
	sent, err := tx.PoisonForUpdate(ctx, id)
	if errors.Is(err, event.ErrPoisonNotFound) || err == nil && !sent.Sent(poison) {
		return event.Poison{}, event.ErrNotRequeued
	}
	return sent, err
}
