package query

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/app/event"
)

// Events asks for a page of the history.
type Events struct {
	Filter EventFilter
	Page   Page
}

// EventsPage is a page of the history. Next is where the following page begins, 0 on the last.
type EventsPage struct {
	Items []event.Record
	Next  int64
}

// EventsHandler handles Events.
type EventsHandler struct {
	store Store
}

// NewEventsHandler returns a handler on store.
func NewEventsHandler(store Store) *EventsHandler { return &EventsHandler{store: store} }

// Handle reads a page. Positions become visible in order, so a reader who follows Next oldest first misses nothing.
func (h *EventsHandler) Handle(ctx context.Context, q Events) (EventsPage, error) {
	items, next, err := h.store.Events(ctx, q.Filter, q.Page)
	if err != nil {
		return EventsPage{}, fmt.Errorf("list events: %w", err)
	}
	return EventsPage{Items: items, Next: next}, nil
}
