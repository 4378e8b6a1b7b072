package memory

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/adapters/dispatch"
	"github.com/millrace/millrace/app/delivery"
	"github.com/millrace/millrace/app/envelope"
)

// ErrSubscriberClosed refuses a subscription on a closed subscriber.
var ErrSubscriberClosed = errors.New("the subscriber is closed")

// SubscriberConfig says how to read as one durable consumer. Its fields mean what they mean in natsjs.
type SubscriberConfig struct {
	Consumer      string
	InFlight      int           // 0: 256
	HandlingLimit time.Duration // 0: none
	CloseTimeout  time.Duration // 0: 30 s
}

// Subscriber is a Watermill subscriber on a durable consumer.
type Subscriber struct {
	broker     *Broker
	config     SubscriberConfig
	dispatcher *dispatch.Dispatcher

	mu       sync.Mutex
	isClosed bool
	cancels  []context.CancelFunc // of the subscriptions
	running  sync.WaitGroup
}

// Subscriber makes a subscriber. Whoever takes it closes it.
func (b *Broker) Subscriber(config SubscriberConfig) *Subscriber {
	config.InFlight = cmp.Or(config.InFlight, 256)
	config.CloseTimeout = cmp.Or(config.CloseTimeout, 30*time.Second)
	return &Subscriber{broker: b, config: config, dispatcher: dispatch.New()}
}

// Subscribe reads the durable on the stream that takes topic, and makes it where it is missing. When ctx ends, the subscription is
// closed as by Close.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	name, err := envelope.StreamOf(topic)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return nil, ErrSubscriberClosed
	}
	s.broker.mu.Lock()
	d := s.broker.durableOn(s.broker.streams[name], s.config.Consumer)
	if d.filters == nil {
		d.filters = []string{topic}
	}
	sub := &subscription{broker: s.broker, durable: d, config: s.config, wake: make(chan struct{}, 1)}
	d.wakes[sub.wake] = struct{}{}
	heartbeat := d.ackWait / 3
	s.broker.mu.Unlock()
	sub.deliveries = s.dispatcher.Subscribe(ctx, dispatch.SubscriptionConfig{
		Heartbeat: heartbeat, HandlingLimit: s.config.HandlingLimit, OnDone: sub.nudge, Now: s.broker.config.Now,
	})
	ctx, cancel := context.WithCancel(ctx)
	s.cancels = append(s.cancels, cancel)
	s.running.Go(func() {
		defer cancel()
		sub.run(ctx)
	})
	return sub.deliveries.Messages(), nil
}

// Close gives back what no handler got, waits for the handlers that run, no longer than CloseTimeout, and closes the channels.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.isClosed = true
	for _, cancel := range s.cancels {
		cancel()
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

// subscription passes the due messages of a durable to the dispatcher.
type subscription struct {
	broker     *Broker
	durable    *durable
	config     SubscriberConfig
	deliveries *dispatch.Subscription
	wake       chan struct{}
}

func (s *subscription) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *subscription) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if again := s.move(); again > 0 {
			timer.Reset(again)
		}
		select {
		case <-s.wake:
		case <-timer.C:
		case <-ctx.Done():
			s.close(ctx)
			return
		}
	}
}

func (s *subscription) close(ctx context.Context) {
	s.broker.mu.Lock()
	delete(s.durable.wakes, s.wake)
	s.broker.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.CloseTimeout) // ctx is over: that is why we close
	defer cancel()
	s.deliveries.Close(ctx)
}

// move takes as much as there is room for, and gives how long until something is due again, zero where only a change can bring it.
func (s *subscription) move() time.Duration {
	active, held := s.deliveries.Counts()
	room := min(s.config.InFlight-active, 5*s.config.InFlight-held)
	now := s.broker.config.Now()
	s.broker.mu.Lock()
	sequences, again := s.durable.due(max(room, 0), now)
	items := make([]*dispatch.Item, 0, len(sequences))
	for _, sequence := range sequences {
		items = append(items, s.item(sequence))
	}
	s.broker.mu.Unlock()
	for _, it := range items {
		s.deliveries.Enqueue(it)
	}
	if room > 0 && len(items) == room {
		s.nudge() // there may be more, and what waits behind others of its key left room for it
	}
	if again.IsZero() || room <= 0 {
		return 0
	}
	return max(again.Sub(now), time.Millisecond)
}

// item makes a delivery of a stored message, as a handler would get it from a broker outside. The lock is held.
func (s *subscription) item(sequence uint64) *dispatch.Item {
	m := s.durable.stream.messages[sequence-1]
	metadata := make(message.Metadata, len(m.message.Metadata))
	maps.Copy(metadata, m.message.Metadata)
	maps.DeleteFunc(metadata, func(key, _ string) bool { return envelope.BrokersOwn(key) })
	id := envelope.Identity(m.message.UUID, metadata, s.durable.stream.name, sequence)
	msg := message.NewMessage(id, bytes.Clone(m.message.Payload))
	msg.Metadata = metadata
	return &dispatch.Item{
		Key:     envelope.Key(id, metadata),
		Message: msg,
		Delivery: &delivery.Delivery{
			Consumer: s.durable.name, Subject: m.subject, StreamSequence: sequence, Count: s.durable.pending[sequence].count,
		},
		Acknowledger: receipt{broker: s.broker, durable: s.durable, sequence: sequence},
	}
}

// receipt answers one delivery.
type receipt struct {
	broker   *Broker
	durable  *durable
	sequence uint64
}

// Ack forgets the delivery.
func (r receipt) Ack() {
	r.broker.mu.Lock()
	defer r.broker.mu.Unlock()
	delete(r.durable.pending, r.sequence)
}

// Nak makes it due after the delay.
func (r receipt) Nak(delay time.Duration) { r.due(delay, true) }

// Progress puts off when it is due.
func (r receipt) Progress() { r.due(0, false) }

func (r receipt) due(delay time.Duration, back bool) {
	r.broker.mu.Lock()
	defer r.broker.mu.Unlock()
	o, found := r.durable.pending[r.sequence]
	if !found {
		return
	}
	if !back {
		delay = r.durable.ackWait
	}
	o.due = r.broker.config.Now().Add(delay)
	if back {
		r.durable.wake()
	}
}
