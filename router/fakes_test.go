package router

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/delivery"
	"github.com/millrace/millrace/app/inbox"
)

// fakeSubscriber is a subscriber with one durable consumer, which redelivers what is nacked.
type fakeSubscriber struct {
	messages chan *message.Message
	closing  chan struct{}
	running  sync.WaitGroup

	mu           sync.Mutex
	ctx          context.Context
	subscribeErr error // of Subscribe
	closed       bool
	results      map[string][]result
}

// result is how one delivery ended.
type result struct {
	acked          bool
	unacknowledged bool
	delay          time.Duration
}

func newFakeSubscriber() *fakeSubscriber {
	return &fakeSubscriber{messages: make(chan *message.Message), closing: make(chan struct{}), results: map[string][]result{}}
}

func (f *fakeSubscriber) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.subscribeErr != nil {
		return nil, f.subscribeErr
	}
	f.ctx = ctx
	return f.messages, nil
}

// Close stops delivering and waits for the running handlers.
func (f *fakeSubscriber) Close() error {
	f.mu.Lock()
	first := !f.closed
	f.closed = true
	f.mu.Unlock()
	if first {
		close(f.closing)
	}
	f.running.Wait()
	if first {
		close(f.messages)
	}
	return nil
}

// send delivers a message until it is acknowledged or left.
func (f *fakeSubscriber) send(id string, metadata map[string]string, payload string) {
	f.running.Go(func() {
		for count := 1; ; count++ {
			last := f.deliver(id, metadata, payload, count)
			if last.acked || last.unacknowledged {
				return
			}
			select {
			case <-f.closing:
				return
			case <-time.After(last.delay):
			}
		}
	})
}

func (f *fakeSubscriber) deliver(id string, metadata map[string]string, payload string, count int) result {
	d := &delivery.Delivery{Consumer: "order-customers", Subject: "events.user.created.v1", Count: count}
	if s := metadata["test-subject"]; s != "" {
		d.Subject = s
	}
	msg := message.NewMessage(id, []byte(payload))
	msg.Metadata = maps.Clone(metadata)
	if msg.Metadata == nil {
		msg.Metadata = message.Metadata{}
	}
	f.mu.Lock()
	ctx, cancel := context.WithCancel(delivery.With(f.ctx, d))
	f.mu.Unlock()
	defer cancel()
	msg.SetContext(ctx)
	select {
	case f.messages <- msg:
	case <-f.closing:
		return result{unacknowledged: true}
	}
	var last result
	select {
	case <-msg.Acked():
		last = result{acked: true}
	case <-msg.Nacked():
		last = result{unacknowledged: d.LeftUnacknowledged(), delay: d.NackDelay()}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.results[id] = append(f.results[id], last)
	return last
}

func (f *fakeSubscriber) resultsOf(id string) []result {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]result(nil), f.results[id]...)
}

func (f *fakeSubscriber) setSubscribeErr(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subscribeErr = err
}

// fakeFailures is a Failures in memory.
type fakeFailures struct {
	mu     sync.Mutex
	counts map[string]inbox.Count
	calls  []int
	given  []inbox.Failure
	sums   []inbox.Count
	err    error // of both
	giving error // of GiveUp
}

func newFakeFailures() *fakeFailures { return &fakeFailures{counts: map[string]inbox.Count{}} }

func (l *fakeFailures) Failed(_ context.Context, f inbox.Failure, n int) (inbox.Count, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return inbox.Count{}, l.err
	}
	l.calls = append(l.calls, n)
	c := l.counts[f.Event.ID]
	c.Attempts += n
	l.counts[f.Event.ID] = c
	return c, nil
}

func (l *fakeFailures) GiveUp(_ context.Context, f inbox.Failure, c inbox.Count) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.err; err != nil {
		return err
	}
	if err := l.giving; err != nil {
		return err
	}
	l.given = append(l.given, f)
	l.sums = append(l.sums, c)
	return nil
}

func (l *fakeFailures) set(err, giving error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.giving = err, giving
}

func (l *fakeFailures) givenUp() ([]inbox.Failure, []inbox.Count) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]inbox.Failure(nil), l.given...), append([]inbox.Count(nil), l.sums...)
}

func (l *fakeFailures) counted() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]int(nil), l.calls...)
}

var _ Failures = (*fakeFailures)(nil)
var _ message.Subscriber = (*fakeSubscriber)(nil)

// eventually advances the bubble's clock until condition holds.
func eventually(t *testing.T, limit time.Duration, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !condition(); {
		if time.Now().After(end) {
			t.Fatalf("not within %s", limit)
		}
		<-time.After(max(time.Millisecond, limit/10_000))
	}
}
