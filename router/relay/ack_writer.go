package relay

import (
	"context"
	"errors"
	"time"

	"github.com/millrace/millrace/app/backoff"
	"github.com/millrace/millrace/app/outbox"
)

// ackedRow is a row that the broker acknowledged.
type ackedRow struct {
	outbox.Published

	correlationID string
}

// ackWriter stores acknowledgements in batches, concurrently with publishing.
type ackWriter struct {
	relay    *Relay
	lease    *leaseTerm
	acked    *unboundedQueue[ackedRow]
	stored   *unboundedQueue[int64] // IDs of rows
	finished chan struct{}          // nothing more will be acknowledged
}

func newAckWriter(r *Relay, t *leaseTerm) *ackWriter {
	return &ackWriter{
		relay: r, lease: t, acked: newUnboundedQueue[ackedRow](), stored: newUnboundedQueue[int64](), finished: make(chan struct{}),
	}
}

// start begins to store. It stops when everything is stored after finish, or when the lease term or ctx ends, and then closes the channel
// that it returned.
func (a *ackWriter) start(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for a.awaitBatch(ctx) {
			if !a.storeBatch(ctx, a.acked.take(a.relay.cfg.AckBatch)) {
				return
			}
		}
	}()
	return done
}

// finish says that no acknowledgement follows.
func (a *ackWriter) finish() { close(a.finished) }

// awaitBatch waits for an acknowledgement, and up to AckDelay for more. It reports false if there is nothing left to store.
func (a *ackWriter) awaitBatch(ctx context.Context) bool {
	select {
	case <-a.finished:
		return a.acked.size() > 0
	default:
	}
	select {
	case <-ctx.Done():
		return false
	case <-a.lease.expired:
		return false
	case <-a.finished:
		return a.acked.size() > 0
	case <-a.acked.ready:
	}
	if a.acked.size() >= a.relay.cfg.AckBatch {
		return true
	}
	timer := time.NewTimer(a.relay.cfg.AckDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.finished:
	case <-a.lease.expired:
	case <-ctx.Done():
	}
	return true
}

// storeBatch stores rows and retries while the lease term lasts. It reports false if they cannot be stored any more.
func (a *ackWriter) storeBatch(ctx context.Context, acked []ackedRow) bool {
	if len(acked) == 0 {
		return true
	}
	rows, ids := make([]outbox.Published, len(acked)), make([]int64, len(acked))
	for i, row := range acked {
		rows[i], ids[i] = row.Published, row.ID
	}
	for n := 1; ; n++ {
		err := a.store(ctx, rows)
		if !errors.Is(err, outbox.ErrLeaseLost) && ctx.Err() == nil {
			a.relay.setDatabaseError(storing, err)
		}
		if err == nil {
			logPublished(ctx, a.relay.log, acked)
			a.stored.put(ids...)
			return true
		}
		if errors.Is(err, outbox.ErrLeaseLost) {
			a.lease.expire()
			return false
		}
		if n == 1 {
			a.relay.log.WarnContext(ctx, "relay cannot store acknowledgements", "rows", len(rows), "error", err)
		}
		if !backoff.Wait(ctx, a.lease.expired, backoff.Exponential(failMin, time.Second, n)) {
			return false
		}
	}
}

func (a *ackWriter) store(ctx context.Context, rows []outbox.Published) error {
	if !a.lease.valid() {
		return outbox.ErrLeaseLost
	}
	ctx, cancel := a.lease.withDeadline(ctx)
	defer cancel()
	return a.relay.cfg.Outbox.Mark(ctx, a.lease.epoch, rows)
}
