package command

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/app/event"
)

// StorePoison keeps a message that a consumer gave up.
type StorePoison struct {
	Message event.Message
	GivenUp event.GivenUp
}

// StorePoisonHandler handles StorePoison.
type StorePoisonHandler struct {
	store Store
	now   func() time.Time
}

// NewStorePoisonHandler returns a handler on store.
func NewStorePoisonHandler(store Store, now func() time.Time) *StorePoisonHandler {
	return &StorePoisonHandler{store: store, now: now}
}

// Handle stores the message, whatever it holds. A repeat changes nothing, and so undoes no decision.
func (h *StorePoisonHandler) Handle(ctx context.Context, c StorePoison) error {
	poison := event.NewPoison(c.Message, c.GivenUp, h.now())
	err := h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error { return tx.StorePoison(ctx, poison) })
	if err != nil {
		return fmt.Errorf("store poison message %s: %w", poison.ID, err)
	}
	return nil
}
