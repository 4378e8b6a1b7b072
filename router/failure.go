package router

import (
	"context"

	"github.com/millrace/millrace/app/inbox"
)

// Failures counts attempts and takes what is given up, in the consumer's own database.
type Failures interface {
	// Failed counts n failed attempts more and gives the sum for the round. What the broker counted is no measure: put-backs, crashes
	// and drains are in it. The error is inbox.ErrSuperseded where a later round was counted before.
	Failed(ctx context.Context, f inbox.Failure, n int) (inbox.Count, error)
	// GiveUp moves the event aside in one transaction: it is left out of its key's sequence, so that its successors may go on, and
	// its poison message is in the outbox. Giving up the same round twice is giving up once.
	GiveUp(ctx context.Context, f inbox.Failure, c inbox.Count) error
}
