package natsjs

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/adapters/dispatch"
)

// ErrSubscriberClosed refuses a subscription on a closed subscriber.
var ErrSubscriberClosed = errors.New("the subscriber is closed")

// SubscriberConfig says how a service reads as one durable consumer.
type SubscriberConfig struct {
	Consumer string // the durable's name, without dots
	// InFlight is how many messages handlers may have at once; each is of another key. 0: 256.
	InFlight int
	// Ahead is how many more may wait behind others of their key, so that a long row of one key keeps no other waiting. 0: 1,024.
	Ahead int
	// Bytes is how much of messages may be held at once; at least two of the largest are. 0: 32 MiB.
	Bytes int
	// AckWait is that of the durable. 0: 30 s.
	AckWait time.Duration
	// HandlingLimit ends the heartbeats of a message that a handler got so long ago; the broker delivers it again then. 0: never.
	HandlingLimit time.Duration
	// CloseTimeout bounds how long closing waits for handlers. 0: 30 s.
	CloseTimeout time.Duration
	Logger       *slog.Logger
	Now          func() time.Time // nil: time.Now
}

// Subscriber is a Watermill subscriber on a durable pull consumer. Messages of one key come one after the other, also across
// the subscriptions of one subscriber.
type Subscriber struct {
	conn       *Conn
	config     SubscriberConfig
	dispatcher *dispatch.Dispatcher

	mu       sync.Mutex
	isClosed bool
	cancels  []context.CancelFunc // of the subscriptions
	running  sync.WaitGroup
}

// NewSubscriber makes a subscriber on a connection, which it does not close.
func NewSubscriber(conn *Conn, config SubscriberConfig) *Subscriber {
	config.InFlight = cmp.Or(config.InFlight, 256)
	config.Ahead = cmp.Or(config.Ahead, 1024)
	config.Bytes = cmp.Or(config.Bytes, 32<<20)
	config.AckWait = cmp.Or(config.AckWait, defaultAckWait)
	config.CloseTimeout = cmp.Or(config.CloseTimeout, 30*time.Second)
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Subscriber{conn: conn, config: config, dispatcher: dispatch.New()}
}

// Subscribe reads the durable on the stream that takes topic, a subject or a pattern. The durable is made if it is missing, also
// later. It does not wait for the broker: while that is away, nothing arrives. When ctx ends, the subscription is closed as by
// Close; the messages' contexts do not end with it.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	spec := ConsumerSpec{Name: s.config.Consumer, Filters: []string{topic}, AckWait: s.config.AckWait}
	stream, _, err := spec.resolve()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return nil, ErrSubscriberClosed
	}
	sub := newSubscription(ctx, s, stream, spec)
	if err := sub.listen(); err != nil {
		sub.deliveries.Close(ctx)
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s.cancels = append(s.cancels, cancel)
	s.running.Go(func() {
		defer cancel()
		sub.run(ctx)
	})
	return sub.deliveries.Messages(), nil
}

// Close stops asking for messages, gives back what no handler got, waits for the handlers that run and for their answers to reach
// the broker, and closes the channels. What is still running after CloseTimeout stays unacknowledged.
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
