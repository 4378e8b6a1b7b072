package natsjs_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/natsjs"
)

// journal is a log that a test may read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// TestUsersOfTheShippedConfiguration holds what we ask of a server against what deploy/nats.conf allows each service.
func TestUsersOfTheShippedConfiguration(t *testing.T) {
	for _, service := range []string{"USER", "ORDER", "EVENT"} {
		t.Setenv("NATS_"+service+"_PASSWORD", "secret-of-"+strings.ToLower(service))
	}
	t.Setenv("NATS_STORE_DIR", t.TempDir())
	options, err := server.ProcessConfigFile("../../deploy/nats.conf")
	require.NoError(t, err)
	options.Host, options.Port, options.NoSigs, options.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(options)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(10*time.Second))

	log := &journal{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	conns, publishers, looking := map[string]*natsjs.Conn{}, map[string]*natsjs.Publisher{}, map[string]jetstream.JetStream{}
	for _, service := range []string{"user", "order", "event"} {
		url := fmt.Sprintf("nats://%s:secret-of-%s@%s", service, service, s.Addr())
		conn, err := natsjs.Connect(t.Context(), natsjs.Config{URL: url, Name: service, Logger: logger})
		require.NoError(t, err)
		t.Cleanup(conn.Close)
		require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
		nc, err := nats.Connect(url)
		require.NoError(t, err)
		t.Cleanup(nc.Close)
		looking[service], err = jetstream.New(nc)
		require.NoError(t, err)
		conns[service], publishers[service] = conn, newPublisher(t, conn, natsjs.PublisherConfig{AckTimeout: time.Second})
	}
	id, at := publish(t, publishers["user"], "events.user.created.v1")
	publish(t, publishers["order"], "poison.order-customers")
	publish(t, publishers["event"], "requeue.order-customers")
	publish(t, publishers["event"], "requeue.event-history")
	held, err := publishers["user"].Holds(t.Context(), "events.user.created.v1", at, id)
	require.NoError(t, err)
	require.True(t, held)
	for _, c := range []struct{ service, consumer, topic string }{
		{"order", "order-customers", "events.user.>"},
		{"order", "order-customers", "requeue.order-customers"},
		{"event", "event-history", "events.>"},
		{"event", "event-history", "requeue.event-history"},
		{"event", "event-poison", "poison.>"},
	} {
		conn := conns[c.service]
		_, err := conn.EnsureConsumer(t.Context(), natsjs.ConsumerSpec{Name: c.consumer, Filters: []string{c.topic}, AckWait: 30 * time.Second})
		require.NoError(t, err)
		next(t, subscribe(t, conn, brokertestConsumer(c.consumer), c.topic))
		require.Eventually(t, func() bool {
			consumer, err := looking[c.service].Consumer(t.Context(), streamOf(c.topic), c.consumer)
			return err == nil && consumer.CachedInfo().NumPending == 0 && consumer.CachedInfo().NumAckPending == 0
		}, patient, 10*time.Millisecond, "the acknowledgement of %s did not arrive", c.consumer)
	}
	require.Empty(t, log.String(), "the server refused something that we need")

	forged := message.NewMessage(uuid.NewString(), nil)
	require.ErrorIs(t, publishers["order"].Publish("events.user.created.v1", forged), natsjs.ErrNoAnswer)
	require.Contains(t, log.String(), "ermissions", "a refusal is in the log")
}

// streamOf is the stream that takes a topic: it has the name of the topic's first token.
func streamOf(topic string) string {
	first, _, _ := strings.Cut(topic, ".")
	return strings.ToUpper(first)
}
