// Package lifecycle runs a service that writes events to an outbox and handles messages. It waits for the database and the broker, makes
// streams and durable consumers and makes them again after a reconnection, runs workers, reports readiness, and drains in the order that
// loses nothing: consumers first, because their last effects go to the outbox, then the relay.
//
// A [Config] says what the service consists of, [New] checks it, [Service.Run] runs it until its context ends, and [Service.Checks] are
// for the readiness endpoint. Nothing in this package knows HTTP, SQL or NATS.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/router"
	"github.com/millrace/millrace/router/relay"
)

// Config says what a service consists of. Name and Database are required, everything else may be left out.
type Config struct {
	Name     string   // names the service in logs, errors and checks
	Database Database // its own

	// Prepare are steps that make the service ready for requests, such as migrations, in their order. They run at the start, all of them
	// again until each has succeeded, so a step must be repeatable. An error of backoff.Permanent (app/backoff) ends Run.
	Prepare []func(ctx context.Context) error

	Broker    Broker         // required where there are streams, a relay or consumers
	Streams   []string       // that the service publishes to or reads
	Relay     *relay.Relay   // nil where the service publishes nothing
	Router    *router.Router // required where there are consumers
	Consumers []Consumer     // in the order in which they subscribe

	EarlyWorkers []Worker // that requests need: they start once the database is prepared
	Workers      []Worker // that start once the broker has been reached

	Logger *slog.Logger           // nil: nothing is logged
	Advice func(err error) string // what an operator can do about an error, for the log; nil: nothing is advised
}

// Database is a service's own database.
type Database interface {
	// Ping reports whether the database answers.
	Ping(ctx context.Context) error
	// Writable reports whether the database takes writes.
	Writable(ctx context.Context) error
}

// Broker is a service's own connection to the message broker.
type Broker interface {
	relay.Broker
	// EnsureStreams makes the streams with these names as they must be.
	EnsureStreams(ctx context.Context, names ...string) error
	// EnsureConsumer makes the durable consumer of a topic. complete reports whether its stream still begins with its first message.
	EnsureConsumer(ctx context.Context, name, topic string) (complete bool, err error)
	// Differences returns the streams and durables that are not as they must be and could not be corrected, with the names of their fields.
	Differences() []string
	// Subscriber returns a subscriber of a consumer. The router closes it.
	Subscriber(consumer string) message.Subscriber
	// Close ends the connection, after Run has returned.
	Close()
}

// Consumer is a durable consumer of a service.
type Consumer struct {
	Name    string
	Topics  []string
	Inbox   Inbox // nil where the handler recognises repeats by itself
	Handle  message.NoPublishHandlerFunc
	Options []router.ConsumerOption
}

// Inbox remembers which messages a consumer has applied.
type Inbox interface {
	// Begin is called before the first message. complete reports whether the stream still begins with its first message: otherwise the first
	// event of a key is taken whatever its number is.
	Begin(ctx context.Context, complete bool) error
}

// Worker is a named loop that runs beside requests and messages.
type Worker struct {
	Name string
	// Run works until ctx ends. Where it returns before that, the service is not ready from then on: its work is not done any more.
	Run func(ctx context.Context) error
}

// Service is a service that can run. It is safe for concurrent use.
type Service struct {
	cfg Config
	log *slog.Logger

	prepared   atomic.Bool
	prepareErr atomic.Pointer[error] // why the last attempt to prepare the database failed; nil where the first one runs

	mu    sync.Mutex
	ended []string // workers that returned while they were needed
}

// New returns the service that cfg describes, with its consumers subscribed at its router. The error names everything that is missing.
func New(cfg Config) (*Service, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Advice == nil {
		cfg.Advice = func(error) string { return "" }
	}
	for _, c := range cfg.Consumers {
		if err := cfg.Router.AddConsumer(c.Name, c.Topics, cfg.Broker.Subscriber(c.Name), c.Handle, c.Options...); err != nil {
			return nil, fmt.Errorf("service %s: %w", cfg.Name, err)
		}
	}
	return &Service{cfg: cfg, log: cfg.Logger.With("service", cfg.Name)}, nil
}

// validate reports everything that is missing from c at once.
func (c Config) validate() error {
	var missing []error
	require := func(present bool, what string) {
		if !present {
			missing = append(missing, fmt.Errorf("service %q: %s", c.Name, what))
		}
	}
	require(c.Name != "", "Config.Name is empty")
	require(c.Database != nil, "Config.Database is nil")
	require(c.Broker != nil || len(c.Streams) == 0 && c.Relay == nil && len(c.Consumers) == 0,
		"Config.Broker is nil, and there are streams, a relay or consumers")
	require(c.Router != nil || len(c.Consumers) == 0, "Config.Router is nil, and there are consumers")
	for _, consumer := range c.Consumers {
		require(consumer.Name != "" && len(consumer.Topics) > 0 && consumer.Handle != nil,
			fmt.Sprintf("consumer %q needs a Name, Topics and Handle", consumer.Name))
	}
	for _, w := range append(c.EarlyWorkers, c.Workers...) {
		require(w.Name != "" && w.Run != nil, fmt.Sprintf("worker %q needs a Name and Run", w.Name))
	}
	for _, step := range c.Prepare {
		require(step != nil, "a step of Config.Prepare is nil")
	}
	return errors.Join(missing...)
}
