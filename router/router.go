// Package router runs the consumers of a service: each message passes one stack of middlewares, with one policy for failures. It depends
// on no database and no broker.
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

// Router runs the consumers of a service.
type Router struct {
	cfg     Config
	router  *message.Router
	breaker *circuitBreaker
	metrics *metrics
	names   map[string]bool
	sources []*drainingSubscriber

	closing   chan struct{}
	closed    chan struct{} // Close has finished
	isClosing atomic.Bool
	err       error // of Close, once closed is closed

	mu      sync.Mutex
	started bool
}

// New returns a Router without consumers. The error names everything that is missing or wrong in cfg.
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
	r, err := message.NewRouter(message.RouterConfig{CloseTimeout: cfg.CloseTimeout}, newDebugLogger(cfg.Logger))
	if err != nil {
		return nil, fmt.Errorf("watermill router: %w", err)
	}
	return &Router{
		cfg:     cfg,
		router:  r,
		breaker: newCircuitBreaker(cfg, m.paused.WithLabelValues(cfg.Service)),
		metrics: m,
		names:   map[string]bool{},
		closing: make(chan struct{}),
		closed:  make(chan struct{}),
	}, nil
}

// AddConsumer passes the messages of sub on topics to handle. It must be called before Run. The router closes sub, whose Close must wait
// for the messages that are being handled; the router ends their contexts if that takes too long.
func (r *Router) AddConsumer(
	name string, topics []string, sub message.Subscriber, handle message.NoPublishHandlerFunc, options ...ConsumerOption,
) error {
	c := &consumer{name: name, cfg: r.cfg, breaker: r.breaker, metrics: r.metrics, closing: r.closing}
	for _, option := range options {
		option(c)
	}
	switch {
	case name == "" || len(topics) == 0:
		return fmt.Errorf("router: consumer %q has no name or no topics", name)
	case r.cfg.Failures == nil && !c.neverPoison:
		return fmt.Errorf("router: Config.Failures is nil: consumer %q could not give up; set it, or make the consumer NeverPoison", name)
	case slices.ContainsFunc(topics, isRequeued) && (!r.cfg.Requeued.Usable() || c.neverPoison):
		return fmt.Errorf("router: consumer %q reads requeued messages: it needs the key in Config.Requeued and may not be NeverPoison", name)
	}
	s := newDrainingSubscriber(sub, r.cfg.Logger.With("consumer", name), r.closing)
	r.sources = append(r.sources, s)
	for _, topic := range topics {
		id := name + " " + topic
		if r.names[id] {
			return fmt.Errorf("router: consumer %q has topic %q twice", name, topic)
		}
		r.names[id] = true
		r.router.AddConsumerHandler(id, topic, s, handle).AddMiddleware(c.stack()...)
	}
	return nil
}

// Run runs the consumers until Close is called or ctx ends, which closes the router within CloseTimeout. It returns when closing is done.
func (r *Router) Run(ctx context.Context) error {
	if !r.start() {
		return nil
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var background sync.WaitGroup
	background.Go(func() { r.breaker.run(work) })
	defer background.Wait()
	defer stop()
	unhook := context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(work, r.cfg.CloseTimeout)
		defer cancel()
		_ = r.Close(closing) // Run returns its error
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

// start reports whether the router may run; it may not after Close.
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

// Close drains the consumers: no message is delivered any more, and running handlers are finished and acknowledged. If ctx ends first, the
// contexts of the messages end, unfinished ones stay unacknowledged, and Close returns an error.
func (r *Router) Close(ctx context.Context) error {
	if r.isClosing.CompareAndSwap(false, true) {
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
				s.cancelMessages()
			}
			return errors.Join(append(errs, fmt.Errorf("shutdown deadline exceeded: consumers of %s: %w", r.cfg.Service, ctx.Err()))...)
		}
	}
	for _, s := range r.sources {
		s.cancelMessages()
	}
	return errors.Join(errs...)
}
