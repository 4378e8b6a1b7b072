package command

import (
	"context"
	"fmt"
	"time"
)

// positionsAtOnce is how many events get their positions in one transaction: enough to work off a backlog, and few enough that recorders
// hardly wait for it.
const positionsAtOnce = 500

// predecessorWait is how long a recorded event waits for its predecessor to be shown first. It is longer than the broker waits before it
// redelivers what a replica held when it died.
const predecessorWait = 15 * time.Second

// AssignPositionsHandler gives recorded events their positions. Recorders run beside each other and commit in any order: of two numbers
// drawn while recording, the larger could become visible first, and a reader that had passed it would never see the smaller. So one
// transaction at a time numbers what is committed.
//
// Two replicas may record events of one key in the wrong order. To hide that from readers, an event waits for its predecessor for a while.
type AssignPositionsHandler struct {
	store Store
	now   func() time.Time
}

// NewAssignPositionsHandler returns a handler on store.
func NewAssignPositionsHandler(store Store, now func() time.Time) *AssignPositionsHandler {
	return &AssignPositionsHandler{store: store, now: now}
}

// Handle gives positions to one batch of waiting events. more is true where others may still wait. Any number of processes may
// call it at once.
func (h *AssignPositionsHandler) Handle(ctx context.Context) (more bool, err error) {
	waiting, err := h.store.Unpositioned(ctx)
	if err != nil {
		return false, fmt.Errorf("look for events without a position: %w", err)
	}
	if !waiting {
		return false, nil
	}
	assigned := 0
	err = h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		n, err := tx.AssignPositions(ctx, positionsAtOnce, h.now().Add(-predecessorWait))
		assigned = n
		return err
	})
	if err != nil {
		return false, fmt.Errorf("assign positions: %w", err)
	}
	return assigned == positionsAtOnce, nil
}
