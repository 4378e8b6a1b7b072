package natsjs_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/adapters/brokertest"
	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/adapters/natsjs/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broker shows a connection to the suite.
type broker struct{ conn *natsjs.Conn }

func (b broker) Publisher(t *testing.T) brokertest.Publisher {
	return newPublisher(t, b.conn, natsjs.PublisherConfig{})
}

func (b broker) EnsureConsumer(ctx context.Context, name string, ackWait time.Duration, filters ...string) (bool, error) {
	return b.conn.EnsureConsumer(ctx, natsjs.ConsumerSpec{Name: name, Filters: filters, AckWait: ackWait})
}

func (b broker) Subscriber(_ *testing.T, c brokertest.Consumer) message.Subscriber {
	return natsjs.NewSubscriber(b.conn, natsjs.SubscriberConfig{
		Consumer: c.Name, InFlight: c.InFlight, AckWait: c.AckWait, HandlingLimit: c.HandlingLimit, CloseTimeout: c.CloseTimeout,
		Logger: slog.New(slog.DiscardHandler),
	})
}

// process is a broker in a process of its own.
type process struct {
	broker
	*natstest.Server
}

func (p process) Start() { p.Server.Start() }

func newPublisher(t *testing.T, conn *natsjs.Conn, config natsjs.PublisherConfig) *natsjs.Publisher {
	t.Helper()
	config.Logger = slog.New(slog.DiscardHandler)
	p, err := natsjs.NewPublisher(conn, config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// connect connects to a server until the test ends.
func connect(t *testing.T, url string) *natsjs.Conn {
	t.Helper()
	conn, err := natsjs.Connect(t.Context(), natsjs.Config{URL: url, Name: t.Name(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// embedded runs an embedded server on a folder until the test ends, and connects to it.
func embedded(t *testing.T, dir string) (*natsjs.Embedded, *natsjs.Conn) {
	t.Helper()
	server, err := natsjs.StartEmbedded(natsjs.EmbeddedConfig{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(server.Shutdown)
	conn, err := server.Connect(t.Context(), natsjs.Config{Name: t.Name(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	return server, conn
}

func TestEmbeddedServer(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, func(t *testing.T) brokertest.Broker {
		_, conn := embedded(t, t.TempDir())
		return broker{conn}
	})
}

func TestServerProcess(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, func(t *testing.T) brokertest.Broker {
		server := natstest.Start(t)
		conn := connect(t, server.URL())
		require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
		return process{broker{conn}, server}
	})
}
