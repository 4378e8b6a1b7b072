package relay

import (
	"context"
	"time"

	"github.com/millrace/millrace/app/backoff"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/outbox"
)

const (
	// purgePause lets others at the database between two steps of a purge.
	purgePause = 100 * time.Millisecond
	// measureShare bounds how much of its time a replica spends on counting what waits: a backlog of millions is counted less often.
	measureShare = 20
)

// measureBacklog counts what waits until ctx ends, with the lease or without: a backlog that nobody publishes must be seen.
func (r *Relay) measureBacklog(ctx context.Context) {
	for ctx.Err() == nil {
		began := r.cfg.Now()
		if b, err := r.cfg.Outbox.Backlog(ctx); err == nil {
			r.oldest.Store(&b.Oldest)
			r.metrics.setBacklog(b.Rows)
		}
		r.metrics.setOldestAge(r.Waiting()) // also where the count failed: what was there goes on waiting
		backoff.Wait(ctx, nil, max(r.cfg.MaintenanceInterval, measureShare*r.cfg.Now().Sub(began)))
	}
}

// Waiting is how long the oldest row has been waiting, as of the last survey.
func (r *Relay) Waiting() time.Duration {
	oldest := r.oldest.Load()
	if oldest == nil || oldest.IsZero() {
		return 0
	}
	return max(r.cfg.Now().Sub(*oldest), 0)
}

// purgePeriodically deletes what was acknowledged long ago, until the lease term is over or ctx ends.
func (r *Relay) purgePeriodically(ctx context.Context, t *leaseTerm) {
	failing := false
	for t.valid() {
		err := r.purge(ctx, t)
		if err != nil && ctx.Err() == nil && !failing {
			r.log.WarnContext(ctx, "published rows could not be purged", "error", err)
		}
		failing = err != nil
		if !backoff.Wait(ctx, t.expired, r.cfg.MaintenanceInterval) {
			return
		}
	}
}

// purge deletes in small steps. While the broker is away nothing is deleted: it may come back without its last messages.
func (r *Relay) purge(ctx context.Context, t *leaseTerm) error {
	for t.valid() && r.cfg.Broker.Connected() {
		n, err := r.purgeStep(ctx, t)
		if err != nil || n < int64(r.cfg.PurgeBatch) || !backoff.Wait(ctx, t.expired, purgePause) {
			return err
		}
	}
	return nil
}

func (r *Relay) purgeStep(ctx context.Context, t *leaseTerm) (deleted int64, err error) {
	ctx, cancel := t.readContext(ctx)
	defer cancel()
	rows, err := r.cfg.Outbox.Purgeable(ctx, r.cfg.Retention, r.cfg.PurgeBatch)
	if err == nil && len(rows) > 0 && !r.reconciled.Load() {
		rows, err = r.onlyHeld(ctx, t, rows)
	}
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	deleted, err = r.cfg.Outbox.Purge(ctx, rows)
	r.metrics.purged.Add(float64(deleted))
	return deleted, err
}

// onlyHeld returns those of rows that the broker still has, without a reconciled tail: a stream loses messages at its end, so if it has the
// row with the highest sequence, it has the others.
func (r *Relay) onlyHeld(ctx context.Context, t *leaseTerm, rows []outbox.Published) (held []outbox.Published, err error) {
	highest := map[string]outbox.Published{}
	for _, row := range rows {
		if stream := envelope.Prefix(row.Topic); row.StreamSequence > highest[stream].StreamSequence {
			highest[stream] = row
		}
	}
	has := map[string]bool{}
	for stream, row := range highest {
		if has[stream], err = r.brokerHolds(ctx, t, row); err != nil {
			return nil, err
		}
	}
	for _, row := range rows {
		if has[envelope.Prefix(row.Topic)] {
			held = append(held, row)
		}
	}
	return held, nil
}
