package natsjs_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/adapters/natsjs/natstest"
)

// watched is a connection whose warnings are kept.
func watched(t *testing.T, url string) (*natsjs.Conn, *journal) {
	t.Helper()
	log := &journal{}
	conn, err := natsjs.Connect(t.Context(), natsjs.Config{
		URL: url, Name: "watched", Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn, log
}

// made makes a durable on EVENTS as somebody else would have it, before ours is ensured.
func made(t *testing.T, change func(*jetstream.ConsumerConfig)) (conn *natsjs.Conn, js jetstream.JetStream, log *journal) {
	t.Helper()
	server := natstest.Start(t)
	conn, log = watched(t, server.URL())
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	_, js = outside(t, server.URL())
	config := jetstream.ConsumerConfig{
		Durable: "one", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: topic, AckWait: 30 * time.Second, MaxDeliver: -1,
		MaxAckPending: 20_000,
	}
	change(&config)
	_, err := js.CreateOrUpdateConsumer(t.Context(), natsjs.Events, config)
	require.NoError(t, err)
	return conn, js, log
}

func ensure(t *testing.T, conn *natsjs.Conn) {
	t.Helper()
	_, err := conn.EnsureConsumer(t.Context(), natsjs.ConsumerSpec{Name: "one", Filters: []string{topic}})
	require.NoError(t, err)
}

func TestDurableThatDiffersIsCorrectedWhereTheServerDoesThat(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*jetstream.ConsumerConfig){
		"headers_only":       func(c *jetstream.ConsumerConfig) { c.HeadersOnly = true },
		"max_batch":          func(c *jetstream.ConsumerConfig) { c.MaxRequestBatch = 1 },
		"max_expires":        func(c *jetstream.ConsumerConfig) { c.MaxRequestExpires = 5 * time.Millisecond },
		"max_bytes":          func(c *jetstream.ConsumerConfig) { c.MaxRequestMaxBytes = 10 },
		"max_deliver":        func(c *jetstream.ConsumerConfig) { c.MaxDeliver = 1 },
		"backoff":            func(c *jetstream.ConsumerConfig) { c.BackOff = []time.Duration{time.Hour} },
		"ack_wait":           func(c *jetstream.ConsumerConfig) { c.AckWait = time.Hour },
		"max_ack_pending":    func(c *jetstream.ConsumerConfig) { c.MaxAckPending = 1 },
		"inactive_threshold": func(c *jetstream.ConsumerConfig) { c.InactiveThreshold = time.Hour },
		"filter_subject":     func(c *jetstream.ConsumerConfig) { c.FilterSubject = "events.nobody.v1" },
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			conn, js, log := made(t, change)
			ensure(t, conn)
			require.Empty(t, conn.Differences(), "%s", log.String())
			one, err := js.Consumer(t.Context(), natsjs.Events, "one")
			require.NoError(t, err)
			have := one.CachedInfo().Config
			require.False(t, have.HeadersOnly)
			require.Equal(t, []int{0, 0, -1, 20_000}, []int{have.MaxRequestBatch, have.MaxRequestMaxBytes, have.MaxDeliver, have.MaxAckPending})
			require.Equal(t, []time.Duration{0, 30 * time.Second, 0}, []time.Duration{have.MaxRequestExpires, have.AckWait, have.InactiveThreshold})
			require.Empty(t, have.BackOff)
			require.Equal(t, topic, have.FilterSubject)
		})
	}
}

func TestDurableThatDiffersForGoodIsToldByItsField(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*jetstream.ConsumerConfig){
		"ack_policy":     func(c *jetstream.ConsumerConfig) { c.AckPolicy, c.MaxAckPending = jetstream.AckNonePolicy, 0 },
		"deliver_policy": func(c *jetstream.ConsumerConfig) { c.DeliverPolicy = jetstream.DeliverNewPolicy },
		"replay_policy":  func(c *jetstream.ConsumerConfig) { c.ReplayPolicy = jetstream.ReplayOriginalPolicy },
		"mem_storage":    func(c *jetstream.ConsumerConfig) { c.MemoryStorage = true },
		"max_waiting":    func(c *jetstream.ConsumerConfig) { c.MaxWaiting = 1 },
		"pause_until": func(c *jetstream.ConsumerConfig) {
			until := time.Now().Add(time.Hour)
			c.PauseUntil = &until
		},
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			conn, js, log := made(t, change)
			for range 3 {
				ensure(t, conn)
			}
			require.Equal(t, []string{"consumer one of EVENTS: " + field}, conn.Differences())
			require.Equal(t, 1, strings.Count(log.String(), "broker configuration differs"), "%s", log.String())
			require.Contains(t, log.String(), "field="+field)
			require.Contains(t, log.String(), "advice=")
			require.NoError(t, js.DeleteConsumer(t.Context(), natsjs.Events, "one"))
			ensure(t, conn)
			require.Empty(t, conn.Differences(), "what the advice says puts it right")
		})
	}
}

func TestPushedDurableIsTold(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn, _ := watched(t, server.URL())
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	_, js := outside(t, server.URL())
	_, err := js.CreatePushConsumer(t.Context(), natsjs.Events, jetstream.ConsumerConfig{
		Durable: "one", DeliverSubject: "elsewhere", FilterSubject: topic, AckPolicy: jetstream.AckExplicitPolicy,
	})
	require.NoError(t, err)
	ensure(t, conn)
	require.Equal(t, []string{"consumer one of EVENTS: deliver_subject"}, conn.Differences())
}

func TestDurableWithoutAcknowledgementsIsNotRead(t *testing.T) {
	t.Parallel()
	conn, js, _ := made(t, func(c *jetstream.ConsumerConfig) { c.AckPolicy, c.MaxAckPending = jetstream.AckNonePolicy, 0 })
	ensure(t, conn)
	id, _ := publish(t, newPublisher(t, conn, natsjs.PublisherConfig{}), topic)
	messages := subscribe(t, conn, brokertestConsumer("one"), topic)
	one, err := js.Consumer(t.Context(), natsjs.Events, "one")
	require.NoError(t, err)
	info, err := one.Info(t.Context())
	require.NoError(t, err)
	require.Zero(t, info.Delivered.Stream, "what is delivered is lost with the process")
	require.NoError(t, js.DeleteConsumer(t.Context(), natsjs.Events, "one"))
	ensure(t, conn)
	require.Equal(t, id, next(t, messages).UUID, "it stayed in its stream")
}

func TestRequestsKeepToTheServersLimit(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, "limits { max_request_batch: 3 }")
	conn, log := watched(t, server.URL())
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	ensure(t, conn)
	require.Empty(t, conn.Differences(), "everything flows")
	require.Contains(t, log.String(), "field=max_batch is=3", "and it is told")
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{})
	messages := subscribe(t, conn, brokertestConsumer("one"), topic)
	for range 10 {
		publish(t, publisher, topic)
	}
	for range 10 {
		next(t, messages).Ack()
	}
}

func TestRequestsKeepToALimitThatComesLater(t *testing.T) {
	t.Parallel()
	conn, js, _ := made(t, func(*jetstream.ConsumerConfig) {})
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{})
	messages := subscribe(t, conn, brokertestConsumer("one"), topic)
	for _, limit := range []func(*jetstream.ConsumerConfig){
		func(c *jetstream.ConsumerConfig) { c.MaxRequestBatch = 2 },
		func(c *jetstream.ConsumerConfig) { c.MaxRequestExpires = 100 * time.Millisecond },
		func(c *jetstream.ConsumerConfig) { c.MaxRequestMaxBytes = 64 << 10 },
	} {
		one, err := js.Consumer(t.Context(), natsjs.Events, "one")
		require.NoError(t, err)
		config := one.CachedInfo().Config
		limit(&config)
		_, err = js.UpdateConsumer(t.Context(), natsjs.Events, config)
		require.NoError(t, err)
		for range 5 {
			publish(t, publisher, topic)
		}
		for range 5 {
			next(t, messages).Ack()
		}
	}
}

func TestAcknowledgementOfAnotherStreamIsNone(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn, log := watched(t, server.URL())
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	_, js := outside(t, server.URL())
	stream, err := js.Stream(t.Context(), natsjs.Events)
	require.NoError(t, err)
	narrowed := stream.CachedInfo().Config
	narrowed.Subjects = []string{"events.user.>"}
	_, err = js.UpdateStream(t.Context(), narrowed)
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"events.order.>"}})
	require.NoError(t, err)

	publisher := newPublisher(t, conn, natsjs.PublisherConfig{})
	msg := message.NewMessage(uuid.NewString(), []byte("{}"))
	msg.SetContext(context.WithoutCancel(t.Context()))
	err = publisher.Publish("events.order.placed.v1", msg)
	require.ErrorIs(t, err, natsjs.ErrOtherStream)
	publish(t, publisher, "events.user.created.v1")
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	require.Equal(t, []string{"stream EVENTS: subjects"}, conn.Differences())
	require.Contains(t, log.String(), "nats stream edit EVENTS")

	require.NoError(t, js.DeleteStream(t.Context(), "OTHER"))
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	require.Empty(t, conn.Differences(), "it takes what it must again")
	publish(t, publisher, "events.order.placed.v1")
}

func TestStreamThatDiffersIsCorrectedOrTold(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*jetstream.StreamConfig){
		"": func(c *jetstream.StreamConfig) {
			c.NoAck, c.AllowRollup, c.MaxMsgSize, c.Duplicates = true, true, 1024, time.Second
		},
		"retention":            func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy },
		"storage":              func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"max_msgs":             func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 },
		"max_bytes":            func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 20 },
		"max_msgs_per_subject": func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 },
		"max_age":              func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"max_consumers":        func(c *jetstream.StreamConfig) { c.MaxConsumers = 1 },
		"allow_msg_ttl":        func(c *jetstream.StreamConfig) { c.AllowMsgTTL = true },
		"republish":            func(c *jetstream.StreamConfig) { c.RePublish = &jetstream.RePublish{Destination: "copy.>"} },
		"sources":              func(c *jetstream.StreamConfig) { c.Sources = []*jetstream.StreamSource{{Name: "EVENTS"}} },
	} {
		t.Run(fmt.Sprintf("%q", field), func(t *testing.T) {
			t.Parallel()
			server := natstest.Start(t)
			conn, _ := watched(t, server.URL())
			_, js := outside(t, server.URL())
			config := jetstream.StreamConfig{Name: natsjs.Poison, Subjects: []string{"poison.>"}, Duplicates: 2 * time.Minute}
			change(&config)
			_, err := js.CreateStream(t.Context(), config)
			require.NoError(t, err)
			require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}, natsjs.Poison))
			if field == "" {
				require.Empty(t, conn.Differences())
				return
			}
			require.Equal(t, []string{"stream POISON: " + field}, conn.Differences())
		})
	}
}
