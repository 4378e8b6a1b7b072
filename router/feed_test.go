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

// feed is a broker for one consumer: it delivers again what was put back, when it was asked for, and keeps what was left.
type feed struct {
	messages chan *message.Message
	closing  chan struct{}
	running  sync.WaitGroup

	mu     sync.Mutex
	ctx    context.Context
	refuse error // of Subscribe
	closed bool
	fates  map[string][]fate
}

// fate is how one delivery ended.
type fate struct {
	acked bool
	left  bool
	delay time.Duration
}

func newFeed() *feed {
	return &feed{messages: make(chan *message.Message), closing: make(chan struct{}), fates: map[string][]fate{}}
}

func (f *feed) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return nil, f.refuse
	}
	f.ctx = ctx
	return f.messages, nil
}

// Close stops delivering and waits for what is in work.
func (f *feed) Close() error {
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
func (f *feed) send(id string, metadata map[string]string, payload string) {
	f.running.Go(func() {
		for count := 1; ; count++ {
			last := f.deliver(id, metadata, payload, count)
			if last.acked || last.left {
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

func (f *feed) deliver(id string, metadata map[string]string, payload string, count int) fate {
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
		return fate{left: true}
	}
	var last fate
	select {
	case <-msg.Acked():
		last = fate{acked: true}
	case <-msg.Nacked():
		last = fate{left: d.LeftUnacknowledged(), delay: d.NackDelay()}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fates[id] = append(f.fates[id], last)
	return last
}

func (f *feed) fatesOf(id string) []fate {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]fate(nil), f.fates[id]...)
}

func (f *feed) setRefuse(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = err
}

// ledger is a Failures in memory.
type ledger struct {
	mu     sync.Mutex
	counts map[string]inbox.Count
	calls  []int
	given  []inbox.Failure
	sums   []inbox.Count
	err    error // of both
	giving error // of GiveUp
}

func newLedger() *ledger { return &ledger{counts: map[string]inbox.Count{}} }

func (l *ledger) Failed(_ context.Context, f inbox.Failure, n int) (inbox.Count, error) {
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

func (l *ledger) GiveUp(_ context.Context, f inbox.Failure, c inbox.Count) error {
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

func (l *ledger) set(err, giving error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.giving = err, giving
}

func (l *ledger) givenUp() ([]inbox.Failure, []inbox.Count) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]inbox.Failure(nil), l.given...), append([]inbox.Count(nil), l.sums...)
}

func (l *ledger) counted() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]int(nil), l.calls...)
}

var _ Failures = (*ledger)(nil)
var _ message.Subscriber = (*feed)(nil)

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
