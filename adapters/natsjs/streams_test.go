package natsjs_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/adapters/natsjs/natstest"
)

const topic = "events.thing.happened.v1"

// outside is a client that is not ours.
func outside(t *testing.T, url string) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, err := nats.Connect(url)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	return nc, js
}

// publish stores a new message and gives its ID and its place.
func publish(t *testing.T, p *natsjs.Publisher, topic string) (id string, sequence uint64) {
	t.Helper()
	id = uuid.NewString()
	answer := make(chan error, 1)
	p.PublishAsync(topic, message.NewMessage(id, []byte("{}")), func(at uint64, err error) {
		sequence = at
		answer <- err
	})
	require.NoError(t, <-answer)
	return id, sequence
}

func TestReplicasProvisionAtOnce(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	var replicas sync.WaitGroup
	for range 8 {
		conn := connect(t, server.URL())
		replicas.Go(func() {
			if err := conn.EnsureStreams(t.Context(), natsjs.Streams{}); err != nil {
				t.Error(err)
			}
			_, err := conn.EnsureConsumer(t.Context(), natsjs.ConsumerSpec{Name: "one", Filters: []string{"events.user.>"}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	_, js := outside(t, server.URL())
	for _, name := range []string{"EVENTS", "POISON", "REQUEUE"} {
		stream, err := js.Stream(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, jetstream.FileStorage, stream.CachedInfo().Config.Storage)
		require.Equal(t, 2*time.Minute, stream.CachedInfo().Config.Duplicates)
	}
	consumer, err := js.Consumer(t.Context(), "EVENTS", "one")
	require.NoError(t, err)
	require.Equal(t, -1, consumer.CachedInfo().Config.MaxDeliver)
	require.Equal(t, 20_000, consumer.CachedInfo().Config.MaxAckPending)
	require.Equal(t, 30*time.Second, consumer.CachedInfo().Config.AckWait)
}

func TestProvisioningKeepsMessagesPlacesAndWhatAnOperatorSet(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn := connect(t, server.URL())
	_, js := outside(t, server.URL())
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "EVENTS", Subjects: []string{"other.>"}, MaxBytes: 1 << 30, Duplicates: time.Second,
	})
	require.NoError(t, err)
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}, natsjs.Events))
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{})
	_, at := publish(t, publisher, topic)
	spec := natsjs.ConsumerSpec{Name: "one", Filters: []string{"events.thing.>"}}
	_, err = conn.EnsureConsumer(t.Context(), spec)
	require.NoError(t, err)
	consumer, err := js.Consumer(t.Context(), "EVENTS", "one")
	require.NoError(t, err)
	delivered, err := consumer.Next()
	require.NoError(t, err)
	require.NoError(t, delivered.DoubleAck(t.Context()))

	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{MaxAge: time.Hour}, natsjs.Events))
	spec.AckWait = time.Minute
	spec.Filters = []string{"events.thing.>", "events.other.>"}
	_, err = conn.EnsureConsumer(t.Context(), spec)
	require.NoError(t, err)

	stream, err := js.Stream(t.Context(), "EVENTS")
	require.NoError(t, err)
	info := stream.CachedInfo()
	require.ElementsMatch(t, []string{"other.>", "events.>"}, info.Config.Subjects)
	require.EqualValues(t, 1<<30, info.Config.MaxBytes)
	require.Equal(t, 2*time.Minute, info.Config.Duplicates)
	require.Equal(t, time.Hour, info.Config.MaxAge)
	require.Equal(t, at, info.State.LastSeq)
	consumer, err = js.Consumer(t.Context(), "EVENTS", "one")
	require.NoError(t, err)
	require.Equal(t, time.Minute, consumer.CachedInfo().Config.AckWait)
	require.Equal(t, spec.Filters, consumer.CachedInfo().Config.FilterSubjects)
	require.Equal(t, at, consumer.CachedInfo().AckFloor.Stream, "the consumer lost its place")
	_, err = js.Stream(t.Context(), "POISON")
	require.ErrorIs(t, err, jetstream.ErrStreamNotFound, "only what was named is made")
}

func TestConsumerNamesWithoutDots(t *testing.T) {
	t.Parallel()
	_, conn := embedded(t, t.TempDir())
	for _, name := range []string{"", "a.b", "a b", "a*", "a>", "a/b"} {
		_, err := conn.EnsureConsumer(t.Context(), natsjs.ConsumerSpec{Name: name, Filters: []string{topic}})
		require.Error(t, err, name)
	}
	_, err := conn.EnsureConsumer(t.Context(), natsjs.ConsumerSpec{Name: "none"})
	require.Error(t, err)
}

func TestConsumerOfAStreamThatLostItsBeginningIsIncomplete(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn := connect(t, server.URL())
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{})
	publish(t, publisher, topic)
	publish(t, publisher, topic)
	complete, err := conn.EnsureConsumer(t.Context(), natsjs.ConsumerSpec{Name: "one", Filters: []string{"events.>"}})
	require.NoError(t, err)
	require.True(t, complete)
	_, js := outside(t, server.URL())
	stream, err := js.Stream(t.Context(), "EVENTS")
	require.NoError(t, err)
	require.NoError(t, stream.Purge(t.Context(), jetstream.WithPurgeSequence(2)))
	complete, err = conn.EnsureConsumer(t.Context(), natsjs.ConsumerSpec{Name: "late", Filters: []string{"events.>"}})
	require.NoError(t, err)
	require.False(t, complete)
}

func TestHeldIsWhatRetentionLetGoAndNotWhatWasLost(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn := connect(t, server.URL())
	ctx := t.Context()
	require.NoError(t, conn.EnsureStreams(ctx, natsjs.Streams{}))
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{})
	requireHeld := func(want bool, subject, id string, at uint64, why string) {
		t.Helper()
		held, err := publisher.Holds(ctx, subject, at, id)
		require.NoError(t, err)
		require.Equal(t, want, held, why)
	}
	first, at := publish(t, publisher, topic)
	last, lastAt := publish(t, publisher, topic)
	_, js := outside(t, server.URL())
	stream, err := js.Stream(ctx, "EVENTS")
	require.NoError(t, err)
	require.NoError(t, stream.Purge(ctx, jetstream.WithPurgeSequence(lastAt)))
	requireHeld(true, topic, first, at, "retention let it go")
	require.NoError(t, stream.Purge(ctx))
	requireHeld(true, topic, last, lastAt, "retention let everything go")

	require.NoError(t, js.DeleteStream(ctx, "EVENTS"))
	requireHeld(false, topic, first, at, "no stream")
	require.NoError(t, conn.EnsureStreams(ctx, natsjs.Streams{}))
	requireHeld(false, topic, first, at, "a new stream")
	publish(t, publisher, topic)
	requireHeld(false, topic, first, at, "another message has its place")
	requireHeld(false, topic, last, lastAt, "beyond the new stream's end")

	requeued, requeuedAt := publish(t, publisher, "requeue.one")
	require.NoError(t, takeOne(ctx, conn, "one", "requeue.one"))
	publish(t, publisher, "requeue.one")
	require.Eventually(t, func() bool {
		info, err := js.Stream(ctx, "REQUEUE")
		return err == nil && info.CachedInfo().State.Msgs == 1
	}, patient, 10*time.Millisecond, "an acknowledged message stays in REQUEUE")
	requireHeld(true, "requeue.one", requeued, requeuedAt, "its consumer has acknowledged it")
}

// takeOne acknowledges one message.
func takeOne(ctx context.Context, conn *natsjs.Conn, consumer, topic string) error {
	s := broker{conn}.Subscriber(nil, brokertestConsumer(consumer))
	messages, err := s.Subscribe(ctx, topic)
	if err != nil {
		return err
	}
	(<-messages).Ack()
	return s.Close()
}

func TestStreamThatDiffersIsToldOnceAndItsTransformTakenAway(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	log := &journal{}
	conn, err := natsjs.Connect(t.Context(), natsjs.Config{
		URL: server.URL(), Name: "one", Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	require.Empty(t, log.String())

	_, js := outside(t, server.URL())
	stream, err := js.Stream(t.Context(), natsjs.Events)
	require.NoError(t, err)
	config := stream.CachedInfo().Config
	config.MaxMsgs = 1000
	config.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "events.order.>", Destination: "events.user.>"}
	_, err = js.UpdateStream(t.Context(), config)
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	}
	require.Equal(t, 1, strings.Count(log.String(), "broker configuration differs"), "%s", log.String())
	require.Contains(t, log.String(), `field=max_msgs is=1000 wanted="none, or discard: new"`)
	stream, err = js.Stream(t.Context(), natsjs.Events)
	require.NoError(t, err)
	require.Nil(t, stream.CachedInfo().Config.SubjectTransform)
}
