package router

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
)

// ErrLeaseLost says that another relay holds the lease: what this one still knows is out of date.
var ErrLeaseLost = errors.New("the relay's lease was lost")

// Pending is an outbox row that no broker acknowledged yet.
type Pending struct {
	ID        int64  // the row
	MessageID string // UUID; the broker tells repeats by it (Nats-Msg-Id). The event's own ID is in its metadata.
	Topic     string
	Key       string // rows of one key are published one after the other
	Sequence  int64  // their order; 0 where the key's rows go by ID
	Encoded   []byte // the metadata, as a JSON object of strings: most rows are read more often than they are published
	Payload   []byte
	CreatedAt time.Time
}

// Metadata gives the message's metadata.
func (p Pending) Metadata() (map[string]string, error) {
	var m map[string]string
	if err := json.Unmarshal(p.Encoded, &m); err != nil {
		return nil, fmt.Errorf("metadata of outbox row %d: %w", p.ID, err)
	}
	return m, nil
}

// Published is an outbox row together with the place that the broker's acknowledgement gave it in its stream.
type Published struct {
	ID             int64
	MessageID      string
	Topic          string
	StreamSequence uint64
}

// Backlog is what waits in an outbox.
type Backlog struct {
	Rows   int64
	Oldest time.Time // of the oldest row; zero where none waits
}

// PageBytes bounds what one read of an outbox holds in memory: its rows may be of 1 KiB or of 1 MiB.
const PageBytes = 16 << 20

// Outbox is a service's outbox and the lease of the one relay that empties it. The lease is kept on the database's clock and
// has an epoch, which grows with each holder.
type Outbox interface {
	// Acquire takes the lease for ttl if it is free or over. held is false where another holds it.
	Acquire(ctx context.Context, holder string, ttl time.Duration) (epoch int64, held bool, err error)
	// Renew prolongs the lease of epoch by ttl from now. The error is ErrLeaseLost where another took it.
	Renew(ctx context.Context, epoch int64, ttl time.Duration) error
	// Release ends the lease of epoch, if it still stands, so that another may take it at once.
	Release(ctx context.Context, epoch int64) error

	// Pending reads unacknowledged rows of streams behind the row after, by ID, without a lock: of each stream up to limit, and no more than
	// up to the row that makes them PageBytes long. more says that there may be rows behind the last one.
	Pending(ctx context.Context, streams []string, after int64, limit int) (rows []Pending, more bool, err error)
	// Mark stores the acknowledgements of rows. The error is ErrLeaseLost, and nothing is stored, where epoch is over.
	Mark(ctx context.Context, epoch int64, rows []Published) error
	// Unmark makes rows pending again. The error is ErrLeaseLost, and nothing is stored, where epoch is over.
	Unmark(ctx context.Context, epoch int64, rows []Published) error
	// Tail reads up to limit acknowledged rows of a stream with a stream sequence below before, the highest first.
	Tail(ctx context.Context, stream string, before uint64, limit int) ([]Published, error)
	// Purgeable reads up to limit rows that were acknowledged longer than age ago.
	Purgeable(ctx context.Context, age time.Duration, limit int) ([]Published, error)
	// Purge deletes those of rows that are still acknowledged.
	Purge(ctx context.Context, rows []Published) (deleted int64, err error)
	// Backlog counts what waits. It needs no lease.
	Backlog(ctx context.Context) (Backlog, error)
	// Wake receives after each commit that added rows. It is never closed and drops signals nobody waited for but the last.
	Wake() <-chan struct{}
}
