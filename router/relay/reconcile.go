package relay

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/outbox"
)

// tailStep is how many rows of a tail are read at once.
const tailStep = 100

// readTimeout bounds one read of the outbox, and one question to the broker about its tail. They change nothing, so they need not end with
// what is left of the lease.
const readTimeout = 10 * time.Second

// reconcileTail finds acknowledged rows that the broker lost with the end of a stream, as after a power failure, and makes them pending
// again. It looks from each stream's last place down to the first row that the broker still has, below the place in low where there is
// one: down to there a stream may hold new rows where it held lost ones. Nothing may be published meanwhile, or a later row of a key
// could come before a lost one. held is the highest row of each stream that the broker has.
func (r *Relay) reconcileTail(ctx context.Context, t *leaseTerm, low map[string]uint64) (held map[string]outbox.Published, err error) {
	held = map[string]outbox.Published{}
	for _, stream := range envelope.Prefixes() {
		before := uint64(math.MaxInt64) // what fits a database's column
		for more := true; more; {
			rows, err := r.tail(ctx, t, stream, before)
			if err != nil {
				return nil, err
			}
			c, err := r.compare(ctx, t, rows, low[stream])
			if err != nil {
				return nil, err
			}
			if err := r.unmark(ctx, t, c.lost); err != nil {
				return nil, err
			}
			if _, known := held[stream]; !known && c.held != nil {
				held[stream] = *c.held
			}
			more = len(rows) == tailStep && !c.complete
			if more {
				before = rows[len(rows)-1].StreamSequence + 1 // two rows may have one place: a lost one and a new one
			}
		}
	}
	return held, nil
}

func (r *Relay) tail(ctx context.Context, t *leaseTerm, stream string, before uint64) ([]outbox.Published, error) {
	ctx, cancel := t.readContext(ctx)
	defer cancel()
	rows, err := r.cfg.Outbox.Tail(ctx, stream, before, tailStep)
	if err != nil {
		return nil, fmt.Errorf("read the tail of %s: %w", stream, err)
	}
	return rows, nil
}

// tailComparison is what the broker says of rows that it acknowledged.
type tailComparison struct {
	lost     []outbox.Published
	held     *outbox.Published // the highest one that it has
	complete bool              // what stands lower needs no comparison
}

func (r *Relay) compare(ctx context.Context, t *leaseTerm, rows []outbox.Published, low uint64) (c tailComparison, err error) {
	for _, row := range rows {
		held, err := r.brokerHolds(ctx, t, row)
		switch {
		case err != nil:
			return c, &brokerError{stream: envelope.Prefix(row.Topic), err: err}
		case !held:
			c.lost = append(c.lost, row)
			continue
		case c.held == nil:
			c.held = &row
		}
		if low == 0 || row.StreamSequence < low {
			c.complete = true
			break
		}
	}
	return c, nil
}

// brokerError is one of the broker, where others are the database's.
type brokerError struct {
	stream string
	err    error
}

// Error implements error.
func (e *brokerError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *brokerError) Unwrap() error { return e.err }

// brokerHolds asks the broker for one row.
func (r *Relay) brokerHolds(ctx context.Context, t *leaseTerm, row outbox.Published) (bool, error) {
	ctx, cancel := t.readContext(ctx)
	defer cancel()
	held, err := r.cfg.Broker.Holds(ctx, row.Topic, row.StreamSequence, row.MessageID)
	if err != nil {
		return false, fmt.Errorf("ask the broker for place %d of %s: %w", row.StreamSequence, row.Topic, err)
	}
	return held, nil
}

func (r *Relay) unmark(ctx context.Context, t *leaseTerm, rows []outbox.Published) error {
	if len(rows) == 0 {
		return nil
	}
	if !t.valid() {
		return outbox.ErrLeaseLost
	}
	ctx, cancel := t.withDeadline(ctx)
	defer cancel()
	if err := r.cfg.Outbox.Unmark(ctx, t.epoch, rows); err != nil {
		return fmt.Errorf("make lost rows pending: %w", err)
	}
	r.metrics.unmarked.Add(float64(len(rows)))
	r.log.WarnContext(ctx, "broker lost acknowledged messages; they are published again", "rows", len(rows))
	return nil
}
