package query

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/app/event"
)

// Poison asks for a page of the poison queue.
type Poison struct {
	Filter PoisonFilter
	Behind *PoisonCursor // the last page's Next
	Limit  int
}

// PoisonPage is a page of the poison queue. Next is nil on the last one.
type PoisonPage struct {
	Items []event.Poison
	Next  *PoisonCursor
}

// PoisonHandler handles Poison.
type PoisonHandler struct {
	store Store
}

// NewPoisonHandler returns a handler on store.
func NewPoisonHandler(store Store) *PoisonHandler { return &PoisonHandler{store: store} }

// Handle reads a page.
func (h *PoisonHandler) Handle(ctx context.Context, q Poison) (PoisonPage, error) {
	items, more, err := h.store.Poison(ctx, q.Filter, q.Behind, q.Limit)
	if err != nil {
		return PoisonPage{}, fmt.Errorf("list poison messages: %w", err)
	}
	page := PoisonPage{Items: items}
	if more && len(items) > 0 {
		last := items[len(items)-1]
		page.Next = &PoisonCursor{FailedAt: last.LastFailedAt, Number: last.Number}
	}
	return page, nil
}
