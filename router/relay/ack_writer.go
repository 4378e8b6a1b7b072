package relay

import (
	"context"
	"errors"
	"time"

	"github.com/millrace/millrace/app/backoff"
	"github.com/millrace/millrace/app/outbox"
)

// ackWriter stores acknowledgements beside the publishing, many at a time.
type ackWriter struct {
	relay    *Relay
	lease    *leaseTerm
	acked    *unboundedQueue[outbox.Published]
	stored   *unboundedQueue[int64]
	finished chan struct{} // nothing more will be acknowledged
}

func newAckWriter(r *Relay, t *leaseTerm) *ackWriter {
	return &ackWriter{relay: r, lease: t, acked: newUnboundedQueue[outbox.Published](), stored: newUnboundedQueue[int64](), finished: make(chan struct{})}
}

// start works until everything is stored after finish, or until the tenure is over or ctx ends; then the channel that it gives is
// closed.
func (m *ackWriter) start(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m.awaitBatch(ctx) {
			if !m.storeBatch(ctx, m.acked.take(m.relay.cfg.AckBatch)) {
				return
			}
		}
	}()
	return done
}

// finish says that no acknowledgement follows.
func (m *ackWriter) finish() { close(m.finished) }

// awaitBatch waits for something to store and, for a moment, for its company. It is false where nothing is left to be done.
func (m *ackWriter) awaitBatch(ctx context.Context) bool {
	select {
	case <-m.finished:
		return m.acked.size() > 0
	default:
	}
	select {
	case <-ctx.Done():
		return false
	case <-m.lease.expired:
		return false
	case <-m.finished:
		return m.acked.size() > 0
	case <-m.acked.ready:
	}
	if m.acked.size() >= m.relay.cfg.AckBatch {
		return true
	}
	timer := time.NewTimer(m.relay.cfg.AckDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-m.finished:
	case <-m.lease.expired:
	case <-ctx.Done():
	}
	return true
}

// storeBatch stores rows, trying again while the tenure lasts. It is false where they cannot be stored any more.
func (m *ackWriter) storeBatch(ctx context.Context, rows []outbox.Published) bool {
	if len(rows) == 0 {
		return true
	}
	for n := 1; ; n++ {
		err := m.store(ctx, rows)
		if !errors.Is(err, outbox.ErrLeaseLost) && ctx.Err() == nil {
			m.relay.setDatabaseError(storing, err)
		}
		if err == nil {
			ids := make([]int64, len(rows))
			for i, row := range rows {
				ids[i] = row.ID
			}
			m.stored.put(ids...)
			return true
		}
		if errors.Is(err, outbox.ErrLeaseLost) {
			m.lease.expire()
			return false
		}
		if n == 1 {
			m.relay.log.WarnContext(ctx, "relay cannot mark published rows", "rows", len(rows), "error", err)
		}
		if !backoff.Wait(ctx, m.lease.expired, backoff.Exponential(failMin, time.Second, n)) {
			return false
		}
	}
}

func (m *ackWriter) store(ctx context.Context, rows []outbox.Published) error {
	if !m.lease.valid() {
		return outbox.ErrLeaseLost
	}
	ctx, cancel := m.lease.withDeadline(ctx)
	defer cancel()
	return m.relay.cfg.Outbox.Mark(ctx, m.lease.epoch, rows)
}
