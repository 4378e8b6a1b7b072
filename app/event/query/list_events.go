package query

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/app/event"
)

// ListEvents asks for a page of the history.
type ListEvents struct {
	Filter EventFilter
	Page   Page
}

// EventPage is a page of the history. Next is where the following page begins, 0 on the last.
type EventPage struct {
	Items []event.Record
	Next  int64
}

// ListEventsHandler handles ListEvents.
type ListEventsHandler struct {
	store Store
}

// NewListEventsHandler makes a ListEventsHandler.
func NewListEventsHandler(store Store) *ListEventsHandler { return &ListEventsHandler{store: store} }

// Handle reads a page. Positions become visible in order, so a reader who follows Next oldest first misses nothing.
func (h *ListEventsHandler) Handle(ctx context.Context, q ListEvents) (EventPage, error) {
	items, more, err := h.store.Events(ctx, q.Filter, q.Page)
	if err != nil {
		return EventPage{}, fmt.Errorf("list events: %w", err)
	}
	page := EventPage{Items: items}
	if more && len(items) > 0 {
		page.Next = items[len(items)-1].Position
	}
	return page, nil
}
