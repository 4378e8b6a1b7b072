package router

import (
	"context"

	"github.com/millrace/millrace/app/inbox"
)

// Failures stores failed attempts and given-up events in the consumer's own database.
type Failures interface {
	// Failed adds n failed attempts and returns the sum of the round. The delivery count of the broker would not do: it includes crashes,
	// drains and delayed nacks. The error is inbox.ErrSuperseded if a later round was counted before.
	Failed(ctx context.Context, f inbox.Failure, n int) (inbox.Count, error)
	// GiveUp skips the event in the sequence of its key, so that its successors can be applied, and adds its poison message to the outbox,
	// in one transaction. It is idempotent per round.
	GiveUp(ctx context.Context, f inbox.Failure, c inbox.Count) error
}
