package dispatch

import (
	"context"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/delivery"
)

// SubscriptionConfig configures a Subscription.
type SubscriptionConfig struct {
	// Heartbeat is the interval at which the progress of a delivery is reported. It must be well below the broker's ack wait.
	Heartbeat time.Duration
	// HandlingLimit ends the heartbeats of a delivery that long after a handler received it. Zero means never.
	HandlingLimit time.Duration
	// OnDone is called after each delivery that was handled, so that the subscriber may request more. It may be nil.
	OnDone func()
	// Now is the clock of HandlingLimit. Nil means time.Now.
	Now func() time.Time
}

// Subscription passes the deliveries of one subscription to its handlers. It is safe for concurrent use.
type Subscription struct {
	dispatcher *Dispatcher
	config     SubscriptionConfig
	onDone     func()
	messages   chan *message.Message

	ctx            context.Context // of the messages; ends when Close no longer waits for their handlers
	cancel         context.CancelFunc
	closing        chan struct{}
	heartbeats     sync.WaitGroup
	stopHeartbeats chan struct{}
	closeOnce      sync.Once

	pending sync.WaitGroup // held items

	// Guarded by dispatcher.mu.
	isClosing bool
	held      map[*Item]struct{}
	heldBytes int
	active    int
}

// Subscribe returns a new Subscription. The contexts of its messages carry the values of ctx but do not end with it.
func (d *Dispatcher) Subscribe(ctx context.Context, config SubscriptionConfig) *Subscription {
	s := &Subscription{
		dispatcher:     d,
		config:         config,
		onDone:         config.OnDone,
		messages:       make(chan *message.Message),
		closing:        make(chan struct{}),
		stopHeartbeats: make(chan struct{}),
		held:           map[*Item]struct{}{},
	}
	if s.onDone == nil {
		s.onDone = func() {}
	}
	if s.config.Now == nil {
		s.config.Now = time.Now
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.heartbeats.Go(s.sendHeartbeats)
	return s
}

// Messages returns the channel on which handlers receive. Close closes it when no handler is running any more.
func (s *Subscription) Messages() <-chan *message.Message { return s.messages }

// Enqueue adds a delivery to the queue of its key. It never blocks: the caller bounds the number of deliveries by what it requests from
// the broker. While the subscription is closing, the delivery is returned to the broker at once.
func (s *Subscription) Enqueue(it *Item) {
	it.subscription = s
	if !s.dispatcher.enqueue(it) {
		it.settle(nackNow)
	}
}

// Counts returns how many deliveries are being handled, and how many are held, including the queued ones.
func (s *Subscription) Counts() (active, held int) {
	s.dispatcher.mu.Lock()
	defer s.dispatcher.mu.Unlock()
	return s.active, len(s.held)
}

// HeldBytes returns the size of all held deliveries.
func (s *Subscription) HeldBytes() int {
	s.dispatcher.mu.Lock()
	defer s.dispatcher.mu.Unlock()
	return s.heldBytes
}

// Close drains the subscription: it returns queued deliveries to the broker, waits until the running handlers return or ctx ends, and
// closes Messages. When ctx ends, the contexts of the running messages end too, their results are ignored, and they stay
// unacknowledged. The caller enqueues nothing any more.
func (s *Subscription) Close(ctx context.Context) {
	s.closeOnce.Do(func() {
		queued := s.dispatcher.removeQueued(s)
		close(s.closing)
		for _, it := range queued {
			it.settle(nackNow)
		}
		drained := make(chan struct{})
		go func() { s.pending.Wait(); close(drained) }()
		select {
		case <-drained:
		case <-ctx.Done():
		}
		s.cancel()
		<-drained
		close(s.stopHeartbeats)
		s.heartbeats.Wait()
		close(s.messages)
	})
}

// handle passes an item to a handler and reports the outcome.
func (s *Subscription) handle(it *Item) {
	select {
	case <-s.closing: // the next select could choose either case, and a closing subscription hands out nothing
		it.settle(nackNow)
		return
	default:
	}
	it.Message.SetContext(delivery.With(s.ctx, it.Delivery))
	select {
	case s.messages <- it.Message:
		it.handedAt.Store(s.config.Now().UnixNano())
	case <-s.closing:
		it.settle(nackNow)
		return
	}
	select {
	case <-it.Message.Acked():
		it.settle(Acknowledger.Ack)
	case <-it.Message.Nacked():
		it.settle(func(a Acknowledger) {
			if !it.Delivery.LeftUnacknowledged() {
				a.Nak(it.Delivery.NackDelay())
			}
		})
	case <-s.ctx.Done():
	}
}

// sendHeartbeats sends heartbeats for all held items, also for the queued ones: their ack wait began with the delivery.
func (s *Subscription) sendHeartbeats() {
	ticker := time.NewTicker(s.config.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, it := range s.heartbeatTargets() {
				it.heartbeat()
			}
		case <-s.stopHeartbeats:
			return
		}
	}
}

// heartbeatTargets returns the held items that are queued or within the HandlingLimit.
func (s *Subscription) heartbeatTargets() []*Item {
	now := s.config.Now().UnixNano()
	s.dispatcher.mu.Lock()
	defer s.dispatcher.mu.Unlock()
	items := make([]*Item, 0, len(s.held))
	for it := range s.held {
		handedAt, limit := it.handedAt.Load(), int64(s.config.HandlingLimit)
		if handedAt == 0 || limit == 0 || now-handedAt < limit {
			items = append(items, it)
		}
	}
	return items
}
