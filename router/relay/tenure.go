package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/millrace/millrace/app/outbox"
)

// tenure is the time in which a relay holds the lease. It ends by the holder's own monotonic clock, counted from before the lease
// was asked for and less a margin, so that it is over before another can hold the lease; also when the process was stopped.
type tenure struct {
	epoch int64
	now   func() time.Time

	mu    sync.Mutex
	until time.Time
	over  chan struct{}
	once  sync.Once
}

func newTenure(epoch int64, until time.Time, now func() time.Time) *tenure {
	return &tenure{epoch: epoch, now: now, until: until, over: make(chan struct{})}
}

// left is how long the tenure lasts unless it is prolonged; nothing once it is over.
func (t *tenure) left() time.Duration {
	select {
	case <-t.over:
		return 0
	default:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.until.Sub(t.now())
	if d <= 0 {
		t.end()
		return 0
	}
	return d
}

func (t *tenure) holds() bool { return t.left() > 0 }

func (t *tenure) prolong(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until = until
}

// end ends the tenure for good: what it knew is out of date, even where the same relay gets the lease again.
func (t *tenure) end() { t.once.Do(func() { close(t.over) }) }

// within gives a context for a statement of this tenure, which ends with it.
func (t *tenure) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, t.left())
}

// reading gives a context for what changes nothing: it has time of its own, and ends with the tenure all the same.
func (t *tenure) reading(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	ended := make(chan struct{})
	go func() {
		select {
		case <-t.over:
			cancel()
		case <-ctx.Done():
		}
		close(ended)
	}()
	return ctx, func() {
		cancel()
		<-ended
	}
}

// keep renews the lease until the tenure is over or ctx ends.
func (r *Relay) keep(ctx context.Context, t *tenure) {
	pause := r.cfg.Renew
	for {
		timer := time.NewTimer(min(pause, max(t.left(), time.Millisecond)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-t.over:
			timer.Stop()
			return
		case <-timer.C:
		}
		if !t.holds() {
			r.log.WarnContext(ctx, "relay stops: the lease could not be renewed in time")
			return
		}
		pause = r.cfg.Renew
		if err := r.renew(ctx, t); err != nil {
			if errors.Is(err, outbox.ErrLeaseLost) {
				r.log.WarnContext(ctx, "relay stops: another holds the lease")
				t.end()
				return
			}
			pause = r.cfg.Renew / 4
		}
	}
}

func (r *Relay) renew(ctx context.Context, t *tenure) error {
	start := r.cfg.Now()
	ctx, cancel := t.within(ctx)
	defer cancel()
	if err := r.cfg.Outbox.Renew(ctx, t.epoch, r.cfg.LeaseTTL); err != nil {
		return err
	}
	if t.holds() { // not one that ran out while the answer was on its way
		t.prolong(start.Add(r.cfg.LeaseTTL - r.cfg.Margin))
	}
	return nil
}
