package natsjs_test

import (
	"log/slog"
	"strconv"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/adapters/natsjs/natstest"
	"github.com/millrace/millrace/app/envelope"
)

// BenchmarkBacklog is how fast what waits in a stream reaches handlers that have nothing to do, on 1,000 keys.
// Run it with -benchtime=100000x.
func BenchmarkBacklog(b *testing.B) {
	server := natstest.Start(b)
	logger := slog.New(slog.DiscardHandler)
	conn, err := natsjs.Connect(b.Context(), natsjs.Config{URL: server.URL(), Name: "bench", Logger: logger})
	require.NoError(b, err)
	b.Cleanup(conn.Close)
	require.NoError(b, conn.EnsureStreams(b.Context(), natsjs.Streams{}))
	publisher, err := natsjs.NewPublisher(conn, natsjs.PublisherConfig{Logger: logger})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, publisher.Close()) })
	var stored sync.WaitGroup
	for i := range b.N {
		msg := message.NewMessage(uuid.NewString(), make([]byte, 300))
		msg.Metadata.Set(envelope.MetaPartitionKey, "k"+strconv.Itoa(i%1000))
		stored.Add(1)
		publisher.PublishAsync(topic, msg, func(uint64, error) { stored.Done() })
	}
	stored.Wait()
	s := natsjs.NewSubscriber(conn, natsjs.SubscriberConfig{Consumer: "bench", Logger: logger})
	b.ResetTimer()
	messages, err := s.Subscribe(b.Context(), topic)
	require.NoError(b, err)
	for range b.N {
		msg := <-messages
		go msg.Ack()
	}
	b.StopTimer()
	require.NoError(b, s.Close())
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
