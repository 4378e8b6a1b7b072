package compose

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/adapters/memory"
)

// memoryBroker is the broker in memory, which all services of the process share.
type memoryBroker struct{ *memory.Broker }

// EnsureStreams implements lifecycle.Broker: they are there.
func (memoryBroker) EnsureStreams(context.Context, ...string) error { return nil }

// EnsureConsumer implements lifecycle.Broker.
func (b memoryBroker) EnsureConsumer(ctx context.Context, name, topic string) (complete bool, err error) {
	return b.Broker.EnsureConsumer(ctx, memory.ConsumerSpec{Name: name, Filters: []string{topic}, AckWait: ackWait})
}

// Differences implements lifecycle.Broker: all is as it was made.
func (memoryBroker) Differences() []string { return nil }

// Subscriber implements lifecycle.Broker.
func (b memoryBroker) Subscriber(consumer string) message.Subscriber {
	return b.Broker.Subscriber(memory.SubscriberConfig{Consumer: consumer, HandlingLimit: handlingLimit, CloseTimeout: drainTimeout})
}

// Close implements lifecycle.Broker. The broker outlives the service: others of the process work with it.
func (memoryBroker) Close() {}
