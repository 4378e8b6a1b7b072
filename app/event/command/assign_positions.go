package command

import (
	"context"
	"fmt"
	"time"
)

// positionsAtOnce is how many events get their positions in one transaction: enough for a backlog, and so few that a recorder which
// waits behind it does not notice.
const positionsAtOnce = 500

// predecessorWait is how long an event may be recorded before its predecessor and still be shown behind it: longer than the broker waits
// for a replica that died with the predecessor in its hands.
const predecessorWait = 15 * time.Second

// AssignPositionsHandler gives recorded events their positions. Recorders run beside each other and commit in any order; a number
// drawn while recording would become visible before a smaller one, and a reader that goes by it would miss the smaller one for
// ever. So one transaction at a time numbers what is committed.
//
// Two replicas may record events of one key in the wrong order. A reader shall not see that: an event waits for its predecessor, for as
// long as that may be on its way.
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
