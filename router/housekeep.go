package router

import (
	"context"
	"time"
)

// purgePause lets others at the database between two steps of a purge.
const purgePause = 100 * time.Millisecond

// housekeep counts the backlog and deletes what was acknowledged long ago, until the tenure is over or ctx ends.
func (r *Relay) housekeep(ctx context.Context, t *tenure) {
	for t.holds() {
		if b, err := r.cfg.Outbox.Backlog(ctx); err == nil && t.holds() {
			r.metrics.waiting(b, r.cfg.Now())
			r.oldest.Store(&b.Oldest)
		}
		r.purge(ctx, t)
		if !wait(ctx, t.over, r.cfg.Survey) {
			return
		}
	}
}

// Waiting is how long the oldest row has been waiting, as of the last look of the relay that holds the lease; nothing elsewhere.
func (r *Relay) Waiting() time.Duration {
	oldest := r.oldest.Load()
	if oldest == nil || oldest.IsZero() {
		return 0
	}
	return r.cfg.Now().Sub(*oldest)
}

// purge deletes in small steps. While the broker is away nothing is deleted, nor before its tail was compared: it may come back without
// its last messages.
func (r *Relay) purge(ctx context.Context, t *tenure) {
	for t.holds() && r.cfg.Broker.Connected() && r.compared.Load() {
		n, err := r.cfg.Outbox.Purge(ctx, r.cfg.Keep, r.cfg.PurgeStep)
		if err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "published rows could not be purged", "error", err)
		}
		r.metrics.purged.Add(float64(n))
		if err != nil || n < int64(r.cfg.PurgeStep) || !wait(ctx, t.over, purgePause) {
			return
		}
	}
}
