package router

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/app/backoff"
	"github.com/millrace/millrace/app/fault"
)

// Bounds of the backoff between probes of an unavailable database, and the time limit of each.
const (
	probeBackoffMin = 100 * time.Millisecond
	probeBackoffMax = 2 * time.Second
	probeTimeout    = 5 * time.Second
)

// circuitBreaker pauses the consumers of a service while its database is unavailable. It starts closed, which lets messages through.
type circuitBreaker struct {
	probe  func(ctx context.Context) error
	log    *slog.Logger
	paused prometheus.Gauge
	now    func() time.Time

	mu     sync.Mutex
	closed chan struct{} // is closed while the breaker is
	wake   chan struct{} // tells run that the breaker was opened
	since  time.Time
}

func newCircuitBreaker(cfg Config, paused prometheus.Gauge) *circuitBreaker {
	closed := make(chan struct{})
	close(closed)
	return &circuitBreaker{probe: cfg.Probe, log: cfg.Logger, paused: paused, now: cfg.Now, closed: closed, wake: make(chan struct{}, 1)}
}

// wait waits up to limit until the breaker is closed. It reports whether it is.
func (b *circuitBreaker) wait(ctx context.Context, limit time.Duration) bool {
	closed := b.state()
	select {
	case <-closed:
		return true
	default:
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-closed:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (b *circuitBreaker) state() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// trip opens the breaker because of err. It does nothing if the breaker is open already.
func (b *circuitBreaker) trip(ctx context.Context, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.closed:
	default:
		return
	}
	b.closed = make(chan struct{})
	b.since = b.now()
	b.paused.Set(1)
	reason, _ := describe(err)
	b.log.WarnContext(ctx, "consumers paused: database unavailable", "kind", fault.KindOf(err).String(), "reason", reason)
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run closes the breaker, whenever it was tripped, as soon as a probe succeeds. It returns when ctx ends.
func (b *circuitBreaker) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		}
		if !b.probeUntilSuccess(ctx) {
			return
		}
		b.mu.Lock()
		close(b.closed)
		b.paused.Set(0)
		b.log.InfoContext(ctx, "consumers resumed", "paused_for", b.now().Sub(b.since).Round(time.Millisecond).String())
		b.mu.Unlock()
	}
}

func (b *circuitBreaker) probeUntilSuccess(ctx context.Context) bool {
	for n := 1; backoff.Wait(ctx, nil, backoff.Exponential(probeBackoffMin, probeBackoffMax, n)); n++ {
		if b.probeOnce(ctx) == nil {
			return true
		}
	}
	return false
}

func (b *circuitBreaker) probeOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return b.probe(ctx)
}
