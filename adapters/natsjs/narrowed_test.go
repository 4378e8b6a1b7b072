package natsjs_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/adapters/natsjs/natstest"
)

// A filter that is put right lets nothing come back that was passed over meanwhile.
func TestDurableThatReadLessForAWhileStaysTold(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn, log := watched(t, server.URL())
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	ensure(t, conn)
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{})
	messages := subscribe(t, conn, brokertestConsumer("one"), topic)
	publish(t, publisher, topic)
	next(t, messages).Ack()

	_, js := outside(t, server.URL())
	one, err := js.Consumer(t.Context(), natsjs.Events, "one")
	require.NoError(t, err)
	config := one.CachedInfo().Config
	config.FilterSubject = "events.nothing.at.all"
	_, err = js.UpdateConsumer(t.Context(), natsjs.Events, config)
	require.NoError(t, err)
	for range 2 {
		ensure(t, conn)
		require.Len(t, conn.Differences(), 1, "the filter is right again, and what it passed over is not read")
		require.Contains(t, conn.Differences()[0], "filter_subject")
	}
	require.Contains(t, log.String(), "nats consumer rm EVENTS one")
	require.NoError(t, js.DeleteConsumer(t.Context(), natsjs.Events, "one"))
	ensure(t, conn)
	require.Empty(t, conn.Differences(), "what the advice says puts it right")
}

func TestFilterThatTakesMoreIsPutRightInSilence(t *testing.T) {
	t.Parallel()
	conn, js, _ := made(t, func(c *jetstream.ConsumerConfig) { c.FilterSubject = "events.>" })
	id, _ := publish(t, newPublisher(t, conn, natsjs.PublisherConfig{}), topic)
	require.NotEmpty(t, id)
	ensure(t, conn)
	require.Empty(t, conn.Differences())
	one, err := js.Consumer(t.Context(), natsjs.Events, "one")
	require.NoError(t, err)
	require.Equal(t, topic, one.CachedInfo().Config.FilterSubject)
}
