package query

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/app/event"
)

// ListPoison asks for a page of the poison queue.
type ListPoison struct {
	Filter PoisonFilter
	Page   Page
}

// PoisonPage is a page of the poison queue. Next is where the following page begins, 0 on the last.
type PoisonPage struct {
	Items []event.Poison
	Next  int64
}

// ListPoisonHandler handles ListPoison.
type ListPoisonHandler struct {
	store Store
}

// NewListPoisonHandler makes a ListPoisonHandler.
func NewListPoisonHandler(store Store) *ListPoisonHandler { return &ListPoisonHandler{store: store} }

// Handle reads a page.
func (h *ListPoisonHandler) Handle(ctx context.Context, q ListPoison) (PoisonPage, error) {
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
