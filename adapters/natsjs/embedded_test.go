package natsjs_test

import (
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/internal/timingtest"

	"github.com/millrace/millrace/adapters/natsjs"
)

func TestEmbeddedServerKeepsItsMessages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, conn := embedded(t, dir)
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{})
	id, at := publish(t, publisher, topic)
	require.Nil(t, server.Addr(), "nobody asked for a port")
	require.NoError(t, publisher.Close())
	conn.Close()
	server.Shutdown()

	_, conn = embedded(t, dir)
	publisher = newPublisher(t, conn, natsjs.PublisherConfig{})
	held, err := publisher.Holds(t.Context(), topic, at, id)
	require.NoError(t, err)
	require.True(t, held)
	require.Equal(t, id, next(t, subscribe(t, conn, brokertestConsumer("one"), topic)).UUID)
}

func TestEmbeddedServerListensWhereItIsTold(t *testing.T) {
	t.Parallel()
	logger := slog.New(slog.DiscardHandler)
	server, err := natsjs.StartEmbedded(natsjs.EmbeddedConfig{Dir: t.TempDir(), Listen: "127.0.0.1:0", Password: password, Logger: logger})
	require.NoError(t, err)
	t.Cleanup(server.Shutdown)
	conn := connect(t, "nats://millrace:"+password+"@"+server.Addr().String())
	require.True(t, conn.Connected())
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
}

func TestEmbeddedServerWithoutItsPortDoesNotStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	logger := slog.New(slog.DiscardHandler)
	began := time.Now()
	for _, address := range []string{taken.Addr().String(), "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000"} {
		_, err = natsjs.StartEmbedded(natsjs.EmbeddedConfig{Dir: t.TempDir(), Listen: address, Password: password, Logger: logger})
		require.Error(t, err, address)
	}
	timingtest.Within(t, began, 10*time.Second, "starts that fail at once")
}
