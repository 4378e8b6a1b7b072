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

// Between probes of a database that is away.
const (
	probeMin     = 100 * time.Millisecond
	probeMax     = 2 * time.Second
	probeTimeout = 5 * time.Second
)

// gate pauses a service's consumers while its database is away. It is open at first.
type gate struct {
	probe  func(ctx context.Context) error
	log    *slog.Logger
	paused prometheus.Gauge
	now    func() time.Time

	mu    sync.Mutex
	open  chan struct{} // closed while the gate is open
	wake  chan struct{} // run has something to probe
	since time.Time
}

func newGate(cfg Config, paused prometheus.Gauge) *gate {
	open := make(chan struct{})
	close(open)
	return &gate{probe: cfg.Probe, log: cfg.Logger, paused: paused, now: cfg.Now, open: open, wake: make(chan struct{}, 1)}
}

// pass waits up to wait for the gate to be open, and is false where it is not.
func (g *gate) pass(ctx context.Context, wait time.Duration) bool {
	open := g.way()
	select {
	case <-open:
		return true
	default:
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-open:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (g *gate) way() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// shut closes the gate because of err. Who finds it closed already says nothing more about it.
func (g *gate) shut(ctx context.Context, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
	default:
		return
	}
	g.open = make(chan struct{})
	g.since = g.now()
	g.paused.Set(1)
	reason, _ := describe(err)
	g.log.WarnContext(ctx, "consumers paused", "kind", fault.KindOf(err).String(), "reason", reason)
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// run opens the gate again, whenever it was shut, as soon as the probe succeeds. It ends with ctx.
func (g *gate) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.wake:
		}
		if !g.probeUntilThere(ctx) {
			return
		}
		g.mu.Lock()
		close(g.open)
		g.paused.Set(0)
		g.log.InfoContext(ctx, "consumers go on", "paused_for", g.now().Sub(g.since).Round(time.Millisecond).String())
		g.mu.Unlock()
	}
}

func (g *gate) probeUntilThere(ctx context.Context) bool {
	for n := 1; backoff.Wait(ctx, nil, backoff.Exponential(probeMin, probeMax, n)); n++ {
		if g.probeOnce(ctx) == nil {
			return true
		}
	}
	return false
}

func (g *gate) probeOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return g.probe(ctx)
}
