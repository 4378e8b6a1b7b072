package query

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/app/event"
)

// Poison asks for a page of the poison queue.
type Poison struct {
	Filter PoisonFilter
	Page   Page
}

// PoisonPage is a page of the poison queue. Next is where the following page begins, 0 on the last.
type PoisonPage struct {
	Items []event.Poison
	Next  int64
}

// PoisonHandler handles Poison.
type PoisonHandler struct {
	store Store
}

// NewPoisonHandler returns a handler on store.
func NewPoisonHandler(store Store) *PoisonHandler { return &PoisonHandler{store: store} }

// Handle reads a page.
func (h *PoisonHandler) Handle(ctx context.Context, q Poison) (PoisonPage, error) {
	items, more, err := h.store.Poison(ctx, q.Filter, q.Page)
	if err != nil {
		return PoisonPage{}, fmt.Errorf("list poison messages: %w", err)
	}
	page := PoisonPage{Items: items}
	if more && len(items) > 0 {
		page.Next = items[len(items)-1].Number
	}
	return page, nil
}
