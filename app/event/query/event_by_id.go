package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/event"
)

// EventByID asks for one event and for what became of it.
type EventByID struct {
	ID uuid.UUID
}

// Event is an event with its outcome at each consumer that said something about it, oldest first.
type Event struct {
	event.Record

	Outcomes []event.Outcome
}

// EventByIDHandler handles EventByID.
type EventByIDHandler struct {
	store    Store
	recorder string
}

// NewEventByIDHandler returns a handler on store. recorder is the name of the consumer that records the history.
func NewEventByIDHandler(store Store, recorder string) *EventByIDHandler {
	return &EventByIDHandler{store: store, recorder: recorder}
}

// Handle reads the event. The error is event.ErrNotFound where the history has none of that ID.
func (h *EventByIDHandler) Handle(ctx context.Context, q EventByID) (Event, error) {
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
