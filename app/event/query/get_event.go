package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/event"
)

// GetEvent asks for one event and for what became of it.
type GetEvent struct {
	ID uuid.UUID
}

// Event is an event with its outcome at each consumer that said something about it, oldest first.
type Event struct {
	event.Record

	Outcomes []event.Outcome
}

// GetEventHandler handles GetEvent.
type GetEventHandler struct {
	store    Store
	recorder string
}

// NewGetEventHandler makes a GetEventHandler. recorder is the name of the consumer that records the history.
func NewGetEventHandler(store Store, recorder string) *GetEventHandler {
	return &GetEventHandler{store: store, recorder: recorder}
}

// Handle reads the event. The error is event.ErrNotFound where the history has none of that ID.
func (h *GetEventHandler) Handle(ctx context.Context, q GetEvent) (Event, error) {
	record, err := h.store.Event(ctx, q.ID)
	if err != nil {
		return Event{}, fmt.Errorf("get event %s: %w", q.ID, err)
	}
	failures, err := h.store.Failures(ctx, record)
	if err != nil {
		return Event{}, fmt.Errorf("get the outcomes of event %s: %w", q.ID, err)
	}
	outcomes := append(failures, record.Recorded(h.recorder))
	slices.SortStableFunc(outcomes, func(a, b event.Outcome) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Consumer, b.Consumer))
	})
	return Event{Record: record, Outcomes: outcomes}, nil
}
