package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// The passwords are of this test's server alone, which listens on loopback and keeps its files in a temporary folder.
var passwords = map[string]string{"user": "user-secret", "order": "order-secret", "event": "event-secret"}

func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"NATS_USER_PASSWORD":  passwords["user"],
		"NATS_ORDER_PASSWORD": passwords["order"],
		"NATS_EVENT_PASSWORD": passwords["event"],
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// setup runs a nats-server with nats.conf as it stands in the repository.
func setup(t *testing.T) *server.Server {
	t.Helper()
	t.Setenv("NATS_STORE_DIR", t.TempDir())
	options, err := server.ProcessConfigFile("nats.conf")
	require.NoError(t, err)
	options.Host, options.Port = "127.0.0.1", server.RANDOM_PORT
	options.NoSigs, options.NoLog = true, true
	s, err := server.NewServer(options)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(10*time.Second))
	return s
}

// connect signs in as a service. What the server refuses arrives on the channel.
func connect(t *testing.T, s *server.Server, service string) (*nats.Conn, jetstream.JetStream, <-chan error) {
	t.Helper()
	refused := make(chan error, 100)
	conn, err := nats.Connect(s.ClientURL(), nats.UserInfo(service, passwords[service]),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	return conn, js, refused
}

// provision makes the three streams the way a service does at its start.
func provision(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	for name, subjects := range map[string]string{"EVENTS": "events.>", "POISON": "poison.>", "REQUEUE": "requeue.>"} {
		config := jetstream.StreamConfig{Name: name, Subjects: []string{subjects}, Duplicates: 2 * time.Minute}
		_, err := js.CreateStream(t.Context(), config)
		require.NoError(t, err)
		stream, err := js.Stream(t.Context(), name)
		require.NoError(t, err)
		_, err = stream.Info(t.Context())
		require.NoError(t, err)
	}
}

func TestServicesPublishOnlyTheirOwnSubjects(t *testing.T) {
	s := setup(t)
	allowed := map[string][]string{
		"user":  {"events.user.created.v1", "events.user.deleted.v1"},
		"order": {"events.order.placed.v1", "events.order.cancelled.v1", "poison.order-customers"},
		"event": {"poison.event-history", "requeue.order-customers", "requeue.event-history"},
	}
	_, js, _ := connect(t, s, "user")
	provision(t, js)
	for service := range allowed {
		conn, js, refused := connect(t, s, service)
		for owner, subjects := range allowed {
			for _, subject := range subjects {
				if owner == service {
					_, err := js.Publish(t.Context(), subject, []byte("{}"))
					require.NoError(t, err, "%s publishes %s", service, subject)
					continue
				}
				requireRefused(t, conn, refused, subject)
			}
		}
		for _, stream := range []string{"EVENTS", "POISON", "REQUEUE"} {
			requireRefused(t, conn, refused, "$JS.API.STREAM.UPDATE."+stream)
		}
		for _, subject := range []string{"events.invoice.sent.v1", "poison.x", "$JS.API.STREAM.DELETE.EVENTS",
			"$JS.API.STREAM.PURGE.EVENTS", "$JS.API.STREAM.MSG.DELETE.EVENTS", "$JS.API.STREAM.CREATE.OTHER",
			"$JS.API.CONSUMER.DELETE.EVENTS.event-history", "$SYS.REQ.SERVER.PING", "anything"} {
			requireRefused(t, conn, refused, subject)
		}
	}
}

// requireRefused publishes and requires that the server names the subject in a permissions violation.
func requireRefused(t *testing.T, conn *nats.Conn, refused <-chan error, subject string) {
	t.Helper()
	require.NoError(t, conn.Publish(subject, []byte("{}")))
	require.NoError(t, conn.Flush())
	select {
	case err := <-refused:
		require.ErrorIs(t, err, nats.ErrPermissionViolation)
		require.ErrorContains(t, err, fmt.Sprintf("%q", subject))
	case <-time.After(time.Minute):
		t.Errorf("%s may be published", subject)
	}
}

func TestServicesCanUseTheirOwnConsumers(t *testing.T) {
	s := setup(t)
	_, users, _ := connect(t, s, "user")
	provision(t, users)
	_, err := users.Publish(t.Context(), "events.user.created.v1", []byte("{}"))
	require.NoError(t, err)
	_, events, _ := connect(t, s, "event")
	for _, subject := range []string{"poison.event-history", "requeue.order-customers", "requeue.event-history"} {
		_, err = events.Publish(t.Context(), subject, []byte("{}"))
		require.NoError(t, err)
	}
	for _, c := range []struct{ service, stream, durable, filter string }{
		{"order", "EVENTS", "order-customers", "events.user.>"},
		{"order", "REQUEUE", "order-customers", "requeue.order-customers"},
		{"event", "EVENTS", "event-history", "events.>"},
		{"event", "REQUEUE", "event-history", "requeue.event-history"},
		{"event", "POISON", "event-poison", "poison.>"},
	} {
		_, js, _ := connect(t, s, c.service)
		consumer, err := js.CreateOrUpdateConsumer(t.Context(), c.stream, jetstream.ConsumerConfig{
			Durable: c.durable, FilterSubject: c.filter, AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 20_000,
		})
		require.NoError(t, err, "%s makes %s", c.service, c.durable)
		batch, err := consumer.Fetch(1, jetstream.FetchMaxWait(5*time.Second))
		require.NoError(t, err)
		for message := range batch.Messages() {
			require.NoError(t, message.InProgress())
			require.NoError(t, message.DoubleAck(t.Context()))
		}
		require.NoError(t, batch.Error())
		info, err := consumer.Info(t.Context())
		require.NoError(t, err)
		require.Equal(t, uint64(1), info.AckFloor.Consumer, "%s acknowledges %s in %s", c.service, c.durable, c.stream)
	}
}

func TestServicesCannotUseConsumersOfOthers(t *testing.T) {
	s := setup(t)
	_, events, _ := connect(t, s, "event")
	provision(t, events)
	_, err := events.CreateOrUpdateConsumer(t.Context(), "EVENTS",
		jetstream.ConsumerConfig{Durable: "event-history", AckPolicy: jetstream.AckExplicitPolicy})
	require.NoError(t, err)

	conn, js, refused := connect(t, s, "order")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = js.Consumer(ctx, "EVENTS", "event-history")
	require.True(t, errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrPermissionViolation), "%v", err)
	require.ErrorIs(t, <-refused, nats.ErrPermissionViolation)
	requireRefused(t, conn, refused, "$JS.API.CONSUMER.MSG.NEXT.EVENTS.event-history")
	requireRefused(t, conn, refused, "$JS.ACK.EVENTS.event-history.1.1.1.1.0")
	_, err = conn.SubscribeSync("events.>")
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	select {
	case err = <-refused:
		require.ErrorIs(t, err, nats.ErrPermissionViolation)
	case <-time.After(time.Minute):
		t.Error("order may listen beside its durable")
	}
}

func TestConnectionsRequireAPassword(t *testing.T) {
	s := setup(t)
	_, err := nats.Connect(s.ClientURL())
	require.ErrorIs(t, err, nats.ErrAuthorization)
	_, err = nats.Connect(s.ClientURL(), nats.UserInfo("user", passwords["order"]))
	require.ErrorIs(t, err, nats.ErrAuthorization)
}

func TestConfigurationSetsSyncIntervalAndStore(t *testing.T) {
	s := setup(t)
	require.Equal(t, time.Second, s.JetStreamConfig().SyncInterval)
	require.True(t, s.JetStreamEnabled())
}
