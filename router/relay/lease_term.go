package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/millrace/millrace/app/outbox"
)

// leaseTerm is the time in which a relay holds the lease. It ends by the holder's own monotonic clock, counted from before the lease
// was asked for and less a margin, so that it is over before another can hold the lease; also when the process was stopped.
type leaseTerm struct {
	epoch int64
	now   func() time.Time

	mu       sync.Mutex
	deadline time.Time
	expired  chan struct{}
	once     sync.Once
}

func newLeaseTerm(epoch int64, until time.Time, now func() time.Time) *leaseTerm {
	return &leaseTerm{epoch: epoch, now: now, deadline: until, expired: make(chan struct{})}
}

// remaining is how long the lease term lasts unless it is prolonged; nothing once it is over.
func (t *leaseTerm) remaining() time.Duration {
	select {
	case <-t.expired:
		return 0
	default:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.deadline.Sub(t.now())
	if d <= 0 {
		t.expire()
		return 0
	}
	return d
}

func (t *leaseTerm) valid() bool { return t.remaining() > 0 }

func (t *leaseTerm) extend(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deadline = until
}

// expire ends the lease term for good: what it knew is out of date, even where the same relay gets the lease again.
func (t *leaseTerm) expire() { t.once.Do(func() { close(t.expired) }) }

// withDeadline gives a context for a statement of this lease term, which ends with it.
func (t *leaseTerm) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, t.remaining())
}

// readContext gives a context for what changes nothing: it has time of its own, and ends with the lease term all the same.
func (t *leaseTerm) readContext(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	ended := make(chan struct{})
	go func() {
		select {
		case <-t.expired:
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

// renewPeriodically renews the lease until the lease term is over or ctx ends.
func (r *Relay) renewPeriodically(ctx context.Context, t *leaseTerm) {
	pause := r.cfg.RenewInterval
	for {
		timer := time.NewTimer(min(pause, max(t.remaining(), time.Millisecond)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-t.expired:
			timer.Stop()
			return
		case <-timer.C:
		}
		if !t.valid() {
			r.log.WarnContext(ctx, "relay stops: the lease could not be renewed in time")
			return
		}
		pause = r.cfg.RenewInterval
		if err := r.renew(ctx, t); err != nil {
			if errors.Is(err, outbox.ErrLeaseLost) {
				r.log.WarnContext(ctx, "relay stops: another holds the lease")
				t.expire()
				return
			}
			pause = r.cfg.RenewInterval / 4
		}
	}
}

func (r *Relay) renew(ctx context.Context, t *leaseTerm) error {
	start := r.cfg.Now()
	ctx, cancel := t.withDeadline(ctx)
	defer cancel()
	if err := r.cfg.Outbox.Renew(ctx, t.epoch, r.cfg.LeaseTTL); err != nil {
		return err
	}
	if t.valid() { // not one that ran out while the answer was on its way
		t.extend(start.Add(r.cfg.LeaseTTL - r.cfg.Margin))
	}
	return nil
}
