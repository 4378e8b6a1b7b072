// Package relay publishes the outbox of a service: of all relays of a service, the one that holds the lease reads the rows, publishes them,
// and stores the acknowledgements of the broker.
package relay

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/app/backoff"
)

// Relay moves a service's outbox to the broker. Of all relays of a service, one at a time does, under a lease.
//
// Each row arrives at least once, under its own message ID; rows of one key arrive in order, each after the acknowledgement of the
// one before. Marked as published are exactly the rows whose acknowledgement came.
type Relay struct {
	cfg     Config
	log     *slog.Logger
	metrics *relayMetrics
	oldest  atomic.Pointer[time.Time] // when the oldest waiting row was stored, as of the last survey

	reconciled atomic.Bool // the broker's tail was compared over this connection; before that, rows it may have lost are not purged
	degraded   degradedReasons
}

// New returns a Relay. The error names everything that is missing or wrong in cfg.
func New(cfg Config) (*Relay, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	m, err := newRelayMetrics(cfg.Metrics, cfg.Service)
	if err != nil {
		return nil, err
	}
	return &Relay{cfg: cfg, log: cfg.Logger.With("service", cfg.Service, "holder", cfg.Holder), metrics: m}, nil
}

// Run works until ctx ends. Then it waits a moment for acknowledgements, stores their marks and releases the lease, so that another
// takes over at once. A database or a broker that is away is no reason to end: rows wait. The error is always nil.
func (r *Relay) Run(ctx context.Context) error {
	var survey sync.WaitGroup
	survey.Go(func() { r.measureBacklog(ctx) })
	defer survey.Wait()
	quiet := false
	for ctx.Err() == nil {
		t, err := r.acquire(ctx)
		switch {
		case err != nil && ctx.Err() == nil && !quiet:
			quiet = true
			r.log.WarnContext(ctx, "relay cannot ask for the lease", "error", err)
		case err == nil:
			quiet = false
		}
		if t != nil {
			r.runAsLeader(ctx, t)
		}
		backoff.Wait(ctx, nil, r.cfg.AcquireInterval)
	}
	return nil
}

// acquire asks for the lease. A nil lease term means that another holds it.
func (r *Relay) acquire(ctx context.Context) (*leaseTerm, error) {
	start := r.cfg.Now()
	ctx, cancel := context.WithTimeout(ctx, r.cfg.LeaseTTL/2)
	defer cancel()
	epoch, held, err := r.cfg.Outbox.Acquire(ctx, r.cfg.Holder, r.cfg.LeaseTTL)
	if err != nil || !held {
		return nil, err
	}
	return newLeaseTerm(epoch, start.Add(r.cfg.LeaseTTL-r.cfg.Margin), r.cfg.Now), nil
}

// runAsLeader publishes while the lease term lasts and ctx does.
func (r *Relay) runAsLeader(ctx context.Context, t *leaseTerm) {
	work, stop := context.WithCancel(context.WithoutCancel(ctx)) // what was begun is finished when ctx ends
	var helpers sync.WaitGroup
	helpers.Go(func() { r.renewPeriodically(work, t) })
	helpers.Go(func() { r.purgePeriodically(work, t) })
	defer helpers.Wait()
	defer stop()
	r.log.InfoContext(ctx, "relay holds the lease", "epoch", t.epoch)
	r.metrics.lease.Set(1)
	defer r.metrics.clearLeader()
	defer r.degraded.clear()

	known, low, breakers := map[string]*failingKey{}, map[string]uint64{}, newBreakers(r.log)
	failures := 0 // of comparisons, one behind the other
	for ctx.Err() == nil && t.valid() {
		if !r.awaitConnection(ctx, t) {
			break
		}
		held, err := r.reconcileTail(work, t, low)
		if err != nil {
			failures++
			r.reportReconcileFailure(ctx, err, failures)
			backoff.Wait(ctx, t.expired, backoff.Exponential(r.cfg.PollInterval, breakerMax, failures))
			continue
		}
		failures = 0
		r.setDatabaseError(reconciling, nil)
		r.reconciled.Store(true)
		s := newPublishSession(r, t, known, breakers, held)
		s.run(ctx, work)
		known, low = s.tracker.persistentFailures(r.cfg.Now()), s.losses.close()
		r.reconciled.Store(false)
	}
	r.releaseLease(work, t)
}

// reportReconcileFailure tells of a comparison that failed: the first time, and about once a minute as long as it goes on.
func (r *Relay) reportReconcileFailure(ctx context.Context, err error, failures int) {
	if ctx.Err() != nil {
		return
	}
	t := DegradedReason{Since: r.cfg.Now(), Err: err}
	if e, ok := errors.AsType[*brokerError](err); ok {
		t.Stream = e.stream
	}
	r.degraded.set(reconciling, t)
	if failures%int(logInterval/breakerMax) == 1 {
		r.log.WarnContext(ctx, "relay cannot compare the outbox with the broker", "error", err)
	}
}

// releaseLease releases a lease that still stands.
func (r *Relay) releaseLease(ctx context.Context, t *leaseTerm) {
	if !t.valid() {
		return
	}
	ctx, cancel := t.withDeadline(ctx)
	defer cancel()
	if err := r.cfg.Outbox.Release(ctx, t.epoch); err != nil {
		r.log.WarnContext(ctx, "relay could not release the lease", "error", err)
	}
	t.expire()
}

// awaitConnection waits for a connection. It is false where ctx or the lease term ended first.
func (r *Relay) awaitConnection(ctx context.Context, t *leaseTerm) bool {
	if r.cfg.Broker.Connected() {
		return true
	}
	r.log.WarnContext(ctx, "relay waits for the broker")
	for t.valid() && backoff.Wait(ctx, t.expired, checkInterval) {
		if r.cfg.Broker.Connected() {
			r.log.InfoContext(ctx, "relay goes on: the broker is back")
			return true
		}
	}
	return false
}

// checkInterval is how often the relay looks at what nobody tells it: the connection, its clock, the pauses of failing keys.
const checkInterval = 25 * time.Millisecond
