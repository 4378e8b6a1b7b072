package relay

import (
	"context"
	"errors"
	"time"

	"github.com/millrace/millrace/app/outbox"
	"github.com/millrace/millrace/router/backoff"
)

// marker stores acknowledgements beside the publishing, many at a time.
type marker struct {
	relay  *Relay
	t      *tenure
	acked  *mailbox[outbox.Published]
	stored *mailbox[int64]
	ending chan struct{} // nothing more will be acknowledged
}

func newMarker(r *Relay, t *tenure) *marker {
	return &marker{relay: r, t: t, acked: newMailbox[outbox.Published](), stored: newMailbox[int64](), ending: make(chan struct{})}
}

// start works until everything is stored after finish, or until the tenure is over or ctx ends; then the channel that it gives is
// closed.
func (m *marker) start(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m.gather(ctx) {
			if !m.store(ctx, m.acked.take(m.relay.cfg.Marks)) {
				return
			}
		}
	}()
	return done
}

// finish says that no acknowledgement follows.
func (m *marker) finish() { close(m.ending) }

// gather waits for something to store and, for a moment, for its company. It is false where nothing is left to be done.
func (m *marker) gather(ctx context.Context) bool {
	select {
	case <-m.ending:
		return m.acked.size() > 0
	default:
	}
	select {
	case <-ctx.Done():
		return false
	case <-m.t.over:
		return false
	case <-m.ending:
		return m.acked.size() > 0
	case <-m.acked.ready:
	}
	if m.acked.size() >= m.relay.cfg.Marks {
		return true
	}
	timer := time.NewTimer(m.relay.cfg.Linger)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-m.ending:
	case <-m.t.over:
	case <-ctx.Done():
	}
	return true
}

// store stores rows, trying again while the tenure lasts. It is false where they cannot be stored any more.
func (m *marker) store(ctx context.Context, rows []outbox.Published) bool {
	if len(rows) == 0 {
		return true
	}
	for n := 1; ; n++ {
		err := m.mark(ctx, rows)
		if !errors.Is(err, outbox.ErrLeaseLost) && ctx.Err() == nil {
			m.relay.failed(marking, err)
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
			m.t.end()
			return false
		}
		if n == 1 {
			m.relay.log.WarnContext(ctx, "relay cannot mark published rows", "rows", len(rows), "error", err)
		}
		if !backoff.Wait(ctx, m.t.over, backoff.Exponential(failMin, time.Second, n)) {
			return false
		}
	}
}

func (m *marker) mark(ctx context.Context, rows []outbox.Published) error {
	if !m.t.holds() {
		return outbox.ErrLeaseLost
	}
	ctx, cancel := m.t.within(ctx)
	defer cancel()
	return m.relay.cfg.Outbox.Mark(ctx, m.t.epoch, rows)
}
