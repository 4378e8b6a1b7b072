package relay

import (
	"context"
	"time"

	"github.com/millrace/millrace/app/outbox"
)

// Outbox is a service's outbox and the lease of the one relay that empties it. The lease is kept on the database's clock and
// has an epoch, which grows with each holder.
type Outbox interface {
	// Acquire takes the lease for ttl if it is free or over. held is false where another holds it.
	Acquire(ctx context.Context, holder string, ttl time.Duration) (epoch int64, held bool, err error)
	// Renew prolongs the lease of epoch by ttl from now. The error is outbox.ErrLeaseLost where another took it.
	Renew(ctx context.Context, epoch int64, ttl time.Duration) error
	// Release ends the lease of epoch, if it still stands, so that another may take it at once.
	Release(ctx context.Context, epoch int64) error

	// Pending reads unacknowledged rows of streams behind the row after, by ID, without a lock: of each stream up to limit, and no more than
	// up to the row that makes them outbox.PageBytes long. more says that there may be rows behind the last one.
	Pending(ctx context.Context, streams []string, after int64, limit int) (rows []outbox.Pending, more bool, err error)
	// Mark stores the acknowledgements of rows. The error is outbox.ErrLeaseLost, and nothing is stored, where epoch is over.
	Mark(ctx context.Context, epoch int64, rows []outbox.Published) error
	// Unmark makes rows pending again. The error is outbox.ErrLeaseLost, and nothing is stored, where epoch is over.
	Unmark(ctx context.Context, epoch int64, rows []outbox.Published) error
	// Tail reads up to limit acknowledged rows of a stream with a stream sequence below before, the highest first.
	Tail(ctx context.Context, stream string, before uint64, limit int) ([]outbox.Published, error)
	// Purgeable reads up to limit rows that were acknowledged longer than age ago.
	Purgeable(ctx context.Context, age time.Duration, limit int) ([]outbox.Published, error)
	// Purge deletes those of rows that are still acknowledged.
	Purge(ctx context.Context, rows []outbox.Published) (deleted int64, err error)
	// Backlog counts what waits. It needs no lease.
	Backlog(ctx context.Context) (outbox.Backlog, error)
	// Wake receives after each commit that added rows. It is never closed and drops signals nobody waited for but the last.
	Wake() <-chan struct{}
}
