package compose

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/adapters/natsjs"
)

// natsBroker is a service's connection to NATS.
type natsBroker struct {
	*natsjs.Publisher

	conn    *natsjs.Conn
	log     *slog.Logger
	streams atomic.Bool // they are there
}

func newNATSBroker(conn *natsjs.Conn, log *slog.Logger) (*natsBroker, error) {
	publisher, err := natsjs.NewPublisher(conn, natsjs.PublisherConfig{Logger: log})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &natsBroker{Publisher: publisher, conn: conn, log: log}, nil
}

// Connected implements lifecycle.Broker. Without the streams there is nothing to publish to.
func (b *natsBroker) Connected() bool { return b.streams.Load() && b.Publisher.Connected() }

// EnsureStreams implements lifecycle.Broker.
func (b *natsBroker) EnsureStreams(ctx context.Context, names ...string) error {
	err := b.conn.EnsureStreams(ctx, natsjs.Streams{}, names...)
	if err == nil {
		b.streams.Store(true)
	}
	return err
}

// EnsureConsumer implements lifecycle.Broker.
func (b *natsBroker) EnsureConsumer(ctx context.Context, name, topic string) (complete bool, err error) {
	return b.conn.EnsureConsumer(ctx, natsjs.ConsumerSpec{Name: name, Filters: []string{topic}, AckWait: ackWait})
}

// Differences implements lifecycle.Broker.
func (b *natsBroker) Differences() []string { return b.conn.Differences() }

// Subscriber implements lifecycle.Broker.
func (b *natsBroker) Subscriber(consumer string) message.Subscriber {
	return natsjs.NewSubscriber(b.conn, natsjs.SubscriberConfig{
		Consumer: consumer, AckWait: ackWait, HandlingLimit: handlingLimit, CloseTimeout: drainTimeout, Logger: b.log.With("consumer", consumer),
	})
}

// Close implements lifecycle.Broker.
func (b *natsBroker) Close() {
	if err := b.Publisher.Close(); err != nil {
		b.log.Warn("closing the publisher failed", "error", err)
	}
	b.conn.Close()
}
