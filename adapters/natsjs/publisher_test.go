package natsjs_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/adapters/natsjs/natstest"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
)

func TestKilledServerHasWhatItAcknowledged(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn := connect(t, server.URL())
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{AckTimeout: time.Hour}) // the loss answers, not the clock
	acknowledged := map[uint64]string{}
	var mu sync.Mutex
	var answered sync.WaitGroup
	const many, enough = 30_000, 10_000
	reached := make(chan struct{})
	killed := make(chan struct{})
	go func() { <-reached; server.Kill(); close(killed) }()
	for i := range many {
		msg := message.NewMessage(uuid.NewString(), []byte(strconv.Itoa(i)))
		msg.Metadata.Set(envelope.MetaPartitionKey, "k"+strconv.Itoa(i%1000))
		answered.Add(1)
		publisher.PublishAsync(topic, msg, func(sequence uint64, err error) {
			defer answered.Done()
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if acknowledged[sequence] = msg.UUID; len(acknowledged) == enough {
				close(reached)
			}
		})
	}
	answered.Wait()
	<-killed
	require.Eventually(t, func() bool { return !conn.Connected() }, patient, time.Millisecond)
	server.Start()
	require.Eventually(t, conn.Connected, patient, time.Millisecond)
	require.Less(t, len(acknowledged), many, "the server was killed too late")
	messages := subscribe(t, conn, brokertestConsumer("one"), topic)
	stored := map[string]bool{}
	missing := func() int {
		n := 0
		for _, id := range acknowledged {
			if !stored[id] {
				n++
			}
		}
		return n
	}
	for missing() > 0 {
		for range max(1, missing()) {
			stored[next(t, messages).UUID] = true
		}
	}
	for sequence, id := range acknowledged {
		if sequence%500 != 0 {
			continue
		}
		held, err := publisher.Holds(t.Context(), topic, sequence, id)
		require.NoError(t, err)
		require.True(t, held)
	}
}

func TestTooLargeAMessageIsRefusedForGood(t *testing.T) {
	t.Parallel()
	_, conn := embedded(t, t.TempDir())
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{})
	err := publisher.Publish(topic, message.NewMessage(uuid.NewString(), make([]byte, 2<<20)))
	require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
	publish(t, publisher, topic)
}

func TestPublishingWithoutAStreamIsUnavailable(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	publisher := newPublisher(t, connect(t, server.URL()), natsjs.PublisherConfig{})
	require.ErrorIs(t, publisher.Publish(topic, message.NewMessage(uuid.NewString(), nil)), natsjs.ErrNoStream)
}

func TestClosedPublisherAnswersEverything(t *testing.T) {
	t.Parallel()
	_, conn := embedded(t, t.TempDir())
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{MaxPending: 16})
	var answered sync.WaitGroup
	for range 4 {
		answered.Go(func() {
			for range 500 {
				answered.Add(1)
				publisher.PublishAsync(topic, message.NewMessage(uuid.NewString(), nil), func(_ uint64, err error) {
					defer answered.Done()
					if err != nil && fault.KindOf(err) != fault.Unavailable {
						t.Error(err)
					}
				})
			}
		})
	}
	require.NoError(t, publisher.Close())
	answered.Wait()
	require.ErrorIs(t, publisher.Publish(topic, message.NewMessage(uuid.NewString(), nil)), natsjs.ErrClosed)
}

func TestPublishEndsWithTheMessagesContext(t *testing.T) {
	t.Parallel()
	_, conn := embedded(t, t.TempDir())
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// Which of the two is first is open; that it does not hang is not.
	if err := publisher.Publish(topic, message.NewMessageWithContext(ctx, uuid.NewString(), nil)); err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
}
