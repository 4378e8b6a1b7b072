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

// Bounds of the backoff between attempts to subscribe.
const (
	subscribeBackoffMin = 250 * time.Millisecond
	subscribeBackoffMax = 5 * time.Second
)

// drainingSubscriber lets running handlers finish when Watermill's router closes. The router ends the contexts of its subscriptions at
// once, and with them those of the messages; drainingSubscriber keeps them until the subscriber is drained.
type drainingSubscriber struct {
	subscriber message.Subscriber
	log        *slog.Logger
	closing    <-chan struct{}

	isClosing atomic.Bool
	closed    chan struct{}
	closeErr  error // once closed is closed

	mu      sync.Mutex
	cancels []context.CancelFunc
}

func newDrainingSubscriber(inner message.Subscriber, log *slog.Logger, closing <-chan struct{}) *drainingSubscriber {
	return &drainingSubscriber{subscriber: inner, log: log, closing: closing, closed: make(chan struct{})}
}

// Subscribe implements message.Subscriber. It retries until it succeeds: a service starts without its broker. If the router closes first,
// it returns a closed channel.
func (s *drainingSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	for n := 1; ; n++ {
		messages, err := s.subscribe(ctx, topic)
		if err == nil {
			return messages, nil
		}
		select {
		case <-s.closing:
			return closedChannel(), nil
		default:
		}
		if n == 1 {
			s.log.WarnContext(ctx, "subscribe failed, retrying", "topic", topic, "error", err)
		}
		timer := time.NewTimer(backoff.Exponential(subscribeBackoffMin, subscribeBackoffMax, n))
		select {
		case <-timer.C:
		case <-s.closing:
			timer.Stop()
			return closedChannel(), nil
		}
	}
}

func closedChannel() <-chan *message.Message {
	c := make(chan *message.Message)
	close(c)
	return c
}

// subscribe subscribes with a context that outlives Watermill's, until cancelMessages.
func (s *drainingSubscriber) subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
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
	messages, err := s.subscriber.Subscribe(ctx, topic)
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
	s.cancels = append(s.cancels, cancel)
	return messages, nil
}

// Close implements message.Subscriber. It drains the subscriber once, although Watermill's router calls it for each topic.
func (s *drainingSubscriber) Close() error {
	if s.isClosing.CompareAndSwap(false, true) {
		s.closeErr = s.subscriber.Close()
		close(s.closed)
	}
	<-s.closed
	return s.closeErr
}

// cancelMessages ends the contexts of all messages that are being handled.
func (s *drainingSubscriber) cancelMessages() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cancel := range s.cancels {
		cancel()
	}
}
