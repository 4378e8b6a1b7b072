package command

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/app/event"
)

// RecordEvent adds a message to the history, whatever it holds.
type RecordEvent struct {
	Message event.Message
}

// RecordEventHandler handles RecordEvent.
type RecordEventHandler struct {
	store Store
	now   func() time.Time
}

// NewRecordEventHandler returns a handler on store.
func NewRecordEventHandler(store Store, now func() time.Time) *RecordEventHandler {
	return &RecordEventHandler{store: store, now: now}
}

// Handle records the message, and what it says of a user's access; a repeat of it changes nothing. The event has no
// position yet and no reader sees it: AssignPositions gives it one.
func (h *RecordEventHandler) Handle(ctx context.Context, c RecordEvent) error {
	record := event.NewRecord(c.Message, h.now())
	change, changed := event.UserChangeOf(record)
	err := h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		if changed {
			if err := tx.NoteAccess(ctx, change); err != nil {
				return err
			}
		}
		return tx.Record(ctx, record)
	})
	if err != nil {
		return fmt.Errorf("record event %s: %w", record.ID, err)
	}
	return nil
}
