// Package router moves messages: it runs a service's consumers behind one stack of middlewares, with one policy for what fails, and
// relays the service's outbox to the broker. It knows neither databases nor brokers; adapters bring both.
package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Router runs a service's consumers.
type Router struct {
	cfg     Config
	router  *message.Router
	gate    *gate
	metrics *metrics
	names   map[string]bool
	sources []*source

	closing chan struct{}
	closed  chan struct{} // Close has finished
	ending  atomic.Bool
	err     error // of Close, once closed is closed

	mu      sync.Mutex
	started bool
}

// New makes a Router without consumers. The error names everything that is wrong with cfg.
func New(cfg Config) (*Router, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Logger = cfg.Logger.With("service", cfg.Service)
	m, err := newMetrics(cfg.Metrics, cfg.Types)
	if err != nil {
		return nil, err
	}
	r, err := message.NewRouter(message.RouterConfig{CloseTimeout: cfg.CloseTimeout}, newQuiet(cfg.Logger))
	if err != nil {
		return nil, fmt.Errorf("watermill router: %w", err)
	}
	return &Router{
		cfg:     cfg,
		router:  r,
		gate:    newGate(cfg, m.paused.WithLabelValues(cfg.Service)),
		metrics: m,
		names:   map[string]bool{},
		closing: make(chan struct{}),
		closed:  make(chan struct{}),
	}, nil
}

// AddConsumer has handle take the messages of sub on topics. It belongs before Run. sub is the consumer's own: closing the router
// closes it. Its Close must wait for the messages in work, whose contexts the router ends when that takes too long.
func (r *Router) AddConsumer(
	name string, topics []string, sub message.Subscriber, handle message.NoPublishHandlerFunc, options ...ConsumerOption,
) error {
	c := &consumer{name: name, cfg: r.cfg, gate: r.gate, metrics: r.metrics, closing: r.closing}
	for _, option := range options {
		option(c)
	}
	switch {
	case name == "" || len(topics) == 0:
		return fmt.Errorf("consumer %q takes no topic", name)
	case r.cfg.Failures == nil && !c.neverPoison:
		return fmt.Errorf("consumer %q could not give up: the router has no Failures", name)
	case slices.ContainsFunc(topics, isRequeued) && (!r.cfg.Requeued.Usable() || c.neverPoison):
		return fmt.Errorf("consumer %q takes what is requeued and could not tell or give up what is forged: the router needs the key", name)
	}
	s := newSource(sub, r.cfg.Logger.With("consumer", name), r.closing)
	r.sources = append(r.sources, s)
	for _, topic := range topics {
		id := name + " " + topic
		if r.names[id] {
			return fmt.Errorf("consumer %q takes %q twice", name, topic)
		}
		r.names[id] = true
		r.router.AddConsumerHandler(id, topic, s, handle).AddMiddleware(c.stack()...)
	}
	return nil
}

// Run works until Close, or until ctx ends, which closes the router within its CloseTimeout. It returns when closing is done.
func (r *Router) Run(ctx context.Context) error {
	if !r.start() {
		return nil
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var gate sync.WaitGroup
	gate.Go(func() { r.gate.run(work) })
	defer gate.Wait()
	defer stop()
	unhook := context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(work, r.cfg.CloseTimeout)
		defer cancel()
		_ = r.Close(closing) // Run answers its error
	})
	defer unhook()
	if err := r.router.Run(work); err != nil {
		return fmt.Errorf("run the consumers of %s: %w", r.cfg.Service, err)
	}
	select {
	case <-r.closing:
		<-r.closed
		return r.err
	default:
		return fmt.Errorf("the subscriptions of %s ended", r.cfg.Service)
	}
}

// start is false where Close came first.
func (r *Router) start() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.closing:
		return false
	default:
		r.started = true
		return true
	}
}

// Close drains the consumers: no message is taken any more, those in work are finished and acknowledged. When ctx ends first, their
// contexts end, and what still runs is left unacknowledged. The error says so.
func (r *Router) Close(ctx context.Context) error {
	if r.ending.CompareAndSwap(false, true) {
		r.mu.Lock()
		close(r.closing)
		started := r.started
		r.mu.Unlock()
		r.err = r.drain(ctx, started)
		close(r.closed)
	}
	<-r.closed
	return r.err
}

func (r *Router) drain(ctx context.Context, started bool) error {
	done := make(chan error, len(r.sources)+1)
	if started {
		select {
		case <-r.router.Running(): // before that, Watermill's Close and Run wait for each other
		case <-ctx.Done():
		}
	}
	for _, s := range r.sources {
		go func() { done <- s.Close() }()
	}
	go func() {
		if !started {
			done <- nil
			return
		}
		done <- r.router.Close()
	}()
	var errs []error
	for range cap(done) {
		select {
		case err := <-done:
			errs = append(errs, err)
		case <-ctx.Done():
			for _, s := range r.sources {
				s.sever()
			}
			return errors.Join(append(errs, fmt.Errorf("consumers of %s were cut off: %w", r.cfg.Service, ctx.Err()))...)
		}
	}
	for _, s := range r.sources {
		s.sever()
	}
	return errors.Join(errs...)
}
