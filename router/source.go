package router

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/backoff"
)

// Between attempts to subscribe.
const (
	subscribeMin = 250 * time.Millisecond
	subscribeMax = 5 * time.Second
)

// source is a consumer's subscriber as Watermill's router sees it. Watermill's Close ends the contexts of its subscriptions at
// once, and with them those of the messages in work; source lets them go on until the subscriber is drained.
type source struct {
	inner   message.Subscriber
	log     *slog.Logger
	closing <-chan struct{}

	ending   atomic.Bool
	ended    chan struct{}
	closeErr error // once ended is closed

	mu  sync.Mutex
	cut []context.CancelFunc
}

func newSource(inner message.Subscriber, log *slog.Logger, closing <-chan struct{}) *source {
	return &source{inner: inner, log: log, closing: closing, ended: make(chan struct{})}
}

// Subscribe implements message.Subscriber. It keeps trying until it works: a service starts while its broker is away. When the
// router closes first, it gives a subscription that is over.
func (s *source) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	for n := 1; ; n++ {
		messages, err := s.subscribe(ctx, topic)
		if err == nil {
			return messages, nil
		}
		select {
		case <-s.closing:
			return nothing(), nil
		default:
		}
		if n == 1 {
			s.log.WarnContext(ctx, "cannot subscribe yet", "topic", topic, "error", err)
		}
		timer := time.NewTimer(backoff.Exponential(subscribeMin, subscribeMax, n))
		select {
		case <-timer.C:
		case <-s.closing:
			timer.Stop()
			return nothing(), nil
		}
	}
}

func nothing() <-chan *message.Message {
	c := make(chan *message.Message)
	close(c)
	return c
}

// subscribe subscribes with a context that outlives Watermill's, until sever.
func (s *source) subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	abandoned := make(chan struct{})
	go func() {
		defer close(abandoned)
		select {
		case <-done:
		case <-s.closing:
			cancel()
		}
	}()
	messages, err := s.inner.Subscribe(ctx, topic)
	close(done)
	<-abandoned
	if err == nil && ctx.Err() != nil {
		err = errors.New("closed while subscribing")
	}
	if err != nil {
		cancel()
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = append(s.cut, cancel)
	return messages, nil
}

// Close implements message.Subscriber: it drains the subscriber, once. Watermill's router calls it for each topic.
func (s *source) Close() error {
	if s.ending.CompareAndSwap(false, true) {
		s.closeErr = s.inner.Close()
		close(s.ended)
	}
	<-s.ended
	return s.closeErr
}

// sever ends the contexts of all messages in work.
func (s *source) sever() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cancel := range s.cut {
		cancel()
	}
}
