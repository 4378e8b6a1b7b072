package natsjs_test

import (
	"log/slog"
	"strconv"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/adapters/natsjs/natstest"
	"github.com/millrace/millrace/app/envelope"
)

// A few hundred of the largest messages would fill the memory of a small machine, for each consumer.
func TestWhatIsHeldIsBoundedByBytesToo(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn := connect(t, server.URL())
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{})
	const messages, size, bound, atOnce = 40, 512 << 10, 4 << 20, 4
	for i := range messages {
		msg := message.NewMessage(uuid.NewString(), make([]byte, size))
		msg.Metadata.Set(envelope.MetaPartitionKey, strconv.Itoa(i))
		require.NoError(t, publisher.Publish(topic, msg))
	}
	s := natsjs.NewSubscriber(conn, natsjs.SubscriberConfig{Consumer: "one", Bytes: bound, Logger: slog.New(slog.DiscardHandler)})
	in, err := s.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	_, js := outside(t, server.URL())
	var held []*message.Message
	for range messages {
		held = append(held, <-in)
		consumer, err := js.Consumer(t.Context(), "EVENTS", "one")
		require.NoError(t, err)
		require.LessOrEqual(t, consumer.CachedInfo().NumAckPending, bound/size+atOnce, "the last acks may be on their way")
		if len(held) == atOnce {
			for _, msg := range held {
				msg.Ack()
			}
			held = nil
		}
	}
	require.NoError(t, s.Close())
}
