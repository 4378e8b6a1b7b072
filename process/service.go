package process

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/ports/rest"
	"github.com/millrace/millrace/router"
)

// Service is one service with everything that is its own: database, connection to the broker, relay and consumers.
type Service struct {
	Name       string
	DB         *sqldb.DB
	Migrations fs.FS
	Broker     Broker
	Streams    []string // that it publishes to or reads
	Relay      *router.Relay
	Router     *router.Router // nil where the service takes no messages
	Workers    []func(ctx context.Context) error
	Early      []func(ctx context.Context) error // workers that requests need: they start before the broker is reached
	Prepare    func(ctx context.Context) error   // after the migrations, before the service is ready; may be nil
	Access     *sqldb.Access
	Edge       rest.Service
	Checks     []rest.Check // of readiness, beside those that every service has
	Routes     func(api huma.API)
	Verifier   rest.Verifier // of access tokens, for all services of the process; nil where this one issues none
	Log        *slog.Logger

	consumers []Consumer
	prepared  atomic.Bool
	// notPrepared is why the last attempt to prepare the database failed; nil where the first one runs.
	notPrepared atomic.Pointer[error]
}

// Consumer is a durable consumer of a service.
type Consumer struct {
	Name    string
	Topics  []string
	Inbox   *sqldb.Inbox // nil where the effect tells repeats by itself
	Handle  message.NoPublishHandlerFunc
	Options []router.ConsumerOption
}

// Broker is a service's own connection to the message broker.
type Broker interface {
	router.Broker
	// EnsureStreams makes the streams with these names as they must be.
	EnsureStreams(ctx context.Context, names ...string) error
	// EnsureConsumer makes the durable consumer of a topic. complete: its stream still begins with its first message.
	EnsureConsumer(ctx context.Context, name, topic string) (complete bool, err error)
	// Differences returns the streams and durables that are not as they must be and could not be corrected, with the names of their fields.
	Differences() []string
	// Subscriber returns a subscriber of a consumer. The caller closes it.
	Subscriber(consumer string) message.Subscriber
	Close()
}

// run works until ctx ends and then drains: first the consumers, whose last effects go to the outbox, then the relay. A database
// or broker that cannot be reached is tried again for as long as it takes.
func (s *Service) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	relayCtx, stopRelay := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRelay()
	var consuming, relaying sync.WaitGroup
	var errs [2]error
	err := s.until(ctx, "database", s.migrate)
	if err != nil && ctx.Err() == nil {
		return err
	}
	if err == nil {
		for _, work := range s.Early {
			relaying.Go(func() { s.work(relayCtx, work) })
		}
		relaying.Go(func() { errs[0] = s.Relay.Run(relayCtx) }) // counts what waits, also while the broker is away
		err = s.until(ctx, "broker", s.provision)
	}
	if err == nil {
		relaying.Go(func() { s.keepProvisioned(relayCtx) })
		for _, work := range s.Workers {
			relaying.Go(func() { s.work(relayCtx, work) })
		}
		if s.Router != nil {
			consuming.Go(func() {
				errs[1] = s.drained(ctx, s.Router.Run(ctx))
				stop() // a service whose consumers ended is none
			})
		}
		<-ctx.Done()
	}
	consuming.Wait()
	stopRelay()
	relaying.Wait()
	return errors.Join(errs[0], errs[1])
}

// drained is what became of the consumers. Those that were asked to end and could not in time, because a handler is slow or the broker
// stands still, have not failed: what they leave comes again.
func (s *Service) drained(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	s.Log.WarnContext(ctx, "consumers were cut off", "error", err)
	return nil
}

func (s *Service) work(ctx context.Context, work func(ctx context.Context) error) {
	if err := work(ctx); err != nil {
		s.Log.Error("a worker ended", "error", err)
	}
}

// migrate brings the schema up to date and prepares what the service needs before it answers.
func (s *Service) migrate(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		s.notPrepared.Store(&err)
		return err
	}
	s.prepared.Store(true)
	return nil
}

func (s *Service) prepare(ctx context.Context) error {
	if err := s.DB.Migrate(ctx, s.Migrations); err != nil {
		return err
	}
	if err := s.Access.Load(ctx); err != nil || s.Prepare == nil {
		return err
	}
	return s.Prepare(ctx)
}

var (
	errStarting = fault.New(fault.Unavailable, "starting",
		"The service is starting: it connects to its database and brings the schema up to date.")
	errStartFails = fault.New(fault.Unavailable, "starting",
		"The service is starting: its database could not be prepared yet, and it goes on trying. The log has the reason and advice.")
)

// ready reports whether the service can answer requests.
func (s *Service) ready(ctx context.Context) error {
	if s.prepared.Load() {
		return s.DB.Ping(ctx)
	}
	if cause := s.notPrepared.Load(); cause != nil {
		return errStartFails.Because(*cause)
	}
	return errStarting
}

// provision makes the streams and durable consumers, which nothing ever deletes.
func (s *Service) provision(ctx context.Context) error {
	if err := s.Broker.EnsureStreams(ctx, s.Streams...); err != nil {
		return err
	}
	for _, c := range s.consumers {
		for _, topic := range c.Topics {
			complete, err := s.Broker.EnsureConsumer(ctx, c.Name, topic)
			if err != nil {
				return err
			}
			if c.Inbox != nil && topic == c.Topics[0] {
				if err := c.Inbox.Begin(ctx, complete); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// How often the connection is looked at, and how often the streams, connected or not.
const (
	watchEvery     = 100 * time.Millisecond
	provisionEvery = 30 * time.Second
)

// keepProvisioned makes the streams and consumers again after each reconnection: the broker may have come back without its files.
func (s *Service) keepProvisioned(ctx context.Context) {
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	connected, last := s.Broker.Connected(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-watch.C:
		}
		was := connected
		if connected = s.Broker.Connected(); !connected || was && time.Since(last) < provisionEvery {
			continue
		}
		if s.until(ctx, "streams and consumers", s.provision) != nil {
			return
		}
		connected, last = s.Broker.Connected(), time.Now()
	}
}

// Bounds of the pause between two attempts to reach something at the start.
const (
	shortestPause = 200 * time.Millisecond
	longestPause  = 5 * time.Second
)

// until tries step again and again, and says so, until it succeeds. The error is that of a step that can never succeed, or ctx's.
func (s *Service) until(ctx context.Context, what string, step func(context.Context) error) error {
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		attempt, cancel := context.WithTimeout(ctx, time.Minute)
		err := step(attempt)
		cancel()
		if err == nil || errors.Is(err, jwks.ErrSecret) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := pause/2 + rand.N(pause) //nolint:gosec // jitter, no secret
		s.Log.WarnContext(ctx, "not ready yet, trying again", "what", what, "again_in", wait.Round(time.Millisecond).String(),
			"advice", sqldb.Advice(err), "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// AddConsumer subscribes a consumer at the service's router.
func (s *Service) AddConsumer(c Consumer) error {
	s.consumers = append(s.consumers, c)
	return s.Router.AddConsumer(c.Name, c.Topics, s.Broker.Subscriber(c.Name), c.Handle, c.Options...)
}
