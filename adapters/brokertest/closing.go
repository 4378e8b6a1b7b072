package brokertest

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/internal/timingtest"
)

func closeWhileHandling(t *testing.T, b Broker) {
	const many, keyCount = 60, 4
	ensure(t, b, "one", ackWait, topic)
	var all []*message.Message
	for i := range many {
		all = append(all, event("k"+strconv.Itoa(i%keyCount), i)) // one of each key runs, the others wait behind it
	}
	publishAll(t, b.Publisher(t), topic, all...)
	got := newRecord()
	begun, release := make(chan struct{}, many), make(chan struct{})
	var early atomic.Int32
	s := b.Subscriber(t, Consumer{Name: "one", InFlight: 8, AckWait: ackWait})
	stop := consume(t, s, topic, func(msg *message.Message) {
		begun <- struct{}{}
		<-release
		if msg.Context().Err() != nil {
			early.Add(1)
		}
		got.ack(msg)
	})
	for range keyCount {
		receive(t, begun, "handlers")
	}
	closed := make(chan struct{})
	go func() { stop(); close(closed) }()
	wait(t, 300*time.Millisecond)
	select {
	case <-closed:
		require.Fail(t, "closing did not wait for the handlers")
	default:
	}
	close(release)
	receive(t, closed, "closing")
	require.Zero(t, early.Load(), "contexts ended when closing began")
	require.Len(t, got.all(), keyCount, "handlers got messages while closing")
	taken := time.Now()
	consume(t, b.Subscriber(t, Consumer{Name: "one", AckWait: ackWait}), topic, got.ack)
	got.await(t, many)
	timingtest.Within(t, taken, 15*time.Second, "the delivery of what no handler got, which is given back")
	got.requireQuiet(t, many, 300*time.Millisecond)
	require.Len(t, got.counts(), many)
}

func closeTimeout(t *testing.T, b Broker) {
	const short = time.Second
	ensure(t, b, "one", short, topic)
	publishAll(t, b.Publisher(t), topic, event("k", 1))
	begun, ended := make(chan struct{}, 1), make(chan struct{})
	s := b.Subscriber(t, Consumer{Name: "one", AckWait: short, CloseTimeout: 500 * time.Millisecond})
	stop := consume(t, s, topic, func(msg *message.Message) {
		begun <- struct{}{}
		<-msg.Context().Done()
		close(ended)
		msg.Ack() // too late
	})
	receive(t, begun, "the handler")
	began := time.Now()
	stop()
	receive(t, ended, "the message's context to end")
	require.GreaterOrEqual(t, time.Since(began), 400*time.Millisecond)
	got := newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "one", AckWait: short}), topic, got.ack)
	got.await(t, 1)
}

func contextCloses(t *testing.T, b Broker) {
	ensure(t, b, "one", ackWait, topic)
	publishAll(t, b.Publisher(t), topic, events(1, "a", "b")...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := b.Subscriber(t, Consumer{Name: "one", InFlight: 1, AckWait: ackWait})
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	messages, err := s.Subscribe(ctx, topic)
	require.NoError(t, err)
	running := receive(t, messages, "a message")
	cancel()
	wait(t, 100*time.Millisecond)
	require.NoError(t, running.Context().Err(), "the context of a running message ended with the subscription's")
	running.Ack()
	select {
	case _, open := <-messages:
		require.False(t, open, "a message was handed out after the subscription's end")
	case <-time.After(patient):
		require.Fail(t, "the channel stays open")
	}
	got := newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "one", AckWait: ackWait}), topic, got.ack)
	got.await(t, 1)
	got.requireQuiet(t, 1, 200*time.Millisecond)
}

func closeTwice(t *testing.T, b Broker) {
	ensure(t, b, "one", ackWait, topic)
	for range 20 { // while messages arrive, so that closing meets them everywhere
		s := b.Subscriber(t, Consumer{Name: "one", AckWait: ackWait})
		messages, err := s.Subscribe(t.Context(), topic)
		require.NoError(t, err)
		publishAll(t, b.Publisher(t), topic, events(10, "a", "b", "c")...)
		var drained, closing sync.WaitGroup
		drained.Go(func() {
			for msg := range messages {
				msg.Ack()
			}
		})
		for range 3 {
			closing.Go(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		closing.Wait()
		drained.Wait()
		_, err = s.Subscribe(t.Context(), topic)
		require.Error(t, err)
	}
}
