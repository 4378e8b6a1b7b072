package router

import (
	"context"
	"fmt"
	"math"
)

// streams are the topic prefixes of the streams that a relay publishes to.
var streams = []string{"events.", "poison.", "requeue."}

// tailStep is how many rows of a tail are read at once.
const tailStep = 100

// checkTail finds acknowledged rows that the broker lost with the end of a stream, as after a power failure, and makes them pending
// again. It looks from each stream's last place down to the first row that the broker still has. Nothing may be published
// meanwhile, or a later row of a key could come before a lost one.
func (r *Relay) checkTail(ctx context.Context, t *tenure) error {
	for _, prefix := range streams {
		before := uint64(math.MaxInt64) // what fits a database's column
		for more := true; more; {
			rows, err := r.tail(ctx, t, prefix, before)
			if err != nil {
				return err
			}
			lost, err := r.lost(ctx, t, rows)
			if err != nil {
				return err
			}
			if err := r.unmark(ctx, t, lost); err != nil {
				return err
			}
			more = len(rows) == tailStep && len(lost) == len(rows)
			if more {
				before = rows[len(rows)-1].StreamSequence
			}
		}
	}
	return nil
}

func (r *Relay) tail(ctx context.Context, t *tenure, prefix string, before uint64) ([]Published, error) {
	ctx, cancel := t.within(ctx)
	defer cancel()
	rows, err := r.cfg.Outbox.Tail(ctx, prefix, before, tailStep)
	if err != nil {
		return nil, fmt.Errorf("read the tail of %s: %w", prefix, err)
	}
	return rows, nil
}

// lost gives the rows ahead of the first one that the broker has.
func (r *Relay) lost(ctx context.Context, t *tenure, rows []Published) ([]Published, error) {
	ctx, cancel := t.within(ctx)
	defer cancel()
	for i, row := range rows {
		held, err := r.cfg.Broker.Holds(ctx, row.Topic, row.StreamSequence, row.MessageID)
		if err != nil {
			return nil, fmt.Errorf("ask the broker for place %d of %s: %w", row.StreamSequence, row.Topic, err)
		}
		if held {
			return rows[:i], nil
		}
	}
	return rows, nil
}

func (r *Relay) unmark(ctx context.Context, t *tenure, rows []Published) error {
	if len(rows) == 0 {
		return nil
	}
	if !t.holds() {
		return ErrLeaseLost
	}
	ctx, cancel := t.within(ctx)
	defer cancel()
	if err := r.cfg.Outbox.Unmark(ctx, t.epoch, rows); err != nil {
		return fmt.Errorf("make lost rows pending: %w", err)
	}
	r.metrics.unmarked.Add(float64(len(rows)))
	r.log.WarnContext(ctx, "broker lost acknowledged messages; they are published again", "rows", len(rows))
	return nil
}
