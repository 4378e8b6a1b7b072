package memory_test

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/adapters/brokertest"
	"github.com/millrace/millrace/adapters/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broker shows the in-process broker to the suite.
type broker struct{ *memory.Broker }

func (b broker) Publisher(*testing.T) brokertest.Publisher { return b.Broker }

func (b broker) EnsureConsumer(ctx context.Context, name string, ackWait time.Duration, filters ...string) (bool, error) {
	return b.Broker.EnsureConsumer(ctx, memory.ConsumerSpec{Name: name, Filters: filters, AckWait: ackWait})
}

func (b broker) Subscriber(_ *testing.T, c brokertest.Consumer) message.Subscriber {
	return b.Broker.Subscriber(memory.SubscriberConfig{
		Consumer: c.Name, InFlight: c.InFlight, HandlingLimit: c.HandlingLimit, CloseTimeout: c.CloseTimeout,
	})
}

func TestBroker(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, func(*testing.T) brokertest.Broker { return broker{memory.New(memory.Config{})} })
}
