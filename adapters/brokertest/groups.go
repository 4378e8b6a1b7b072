package brokertest

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

func twoGroups(t *testing.T, b Broker) {
	records := map[string]*record{"one": newRecord(), "two": newRecord()}
	for name, got := range records {
		ensure(t, b, name, ackWait, topic)
		consume(t, b.Subscriber(t, Consumer{Name: name, AckWait: ackWait}), topic, got.ack)
	}
	publishAll(t, b.Publisher(t), topic, events(10, "a", "b", "c")...)
	for name, got := range records {
		got.await(t, 30)
		require.Len(t, got.counts(), 30, "consumer %s", name)
	}
}

func oneGroupShares(t *testing.T, b Broker) {
	const many = 200
	ensure(t, b, "one", ackWait, topic)
	got := newRecord()
	var first [2]atomic.Bool
	both := make(chan struct{}, many)
	for i := range first {
		consume(t, b.Subscriber(t, Consumer{Name: "one", InFlight: 4, AckWait: ackWait}), topic, func(msg *message.Message) {
			// Nobody answers before both have something: neither can take everything.
			if first[i].CompareAndSwap(false, true) && first[1-i].Load() {
				close(both)
			}
			<-both
			got.ack(msg)
		})
	}
	var all []*message.Message
	for i := range many {
		all = append(all, event("k"+strconv.Itoa(i), i))
	}
	publishAll(t, b.Publisher(t), topic, all...)
	got.await(t, many)
	got.requireQuiet(t, many, 200*time.Millisecond)
	require.Len(t, got.counts(), many)
}

func durable(t *testing.T, b Broker) {
	ensure(t, b, "one", ackWait, topic)
	p := b.Publisher(t)
	publishAll(t, p, topic, events(5, "a")...)
	first := newRecord()
	stop := consume(t, b.Subscriber(t, Consumer{Name: "one", AckWait: ackWait}), topic, first.ack)
	first.await(t, 5)
	stop()
	publishAll(t, p, topic, events(5, "b")...)
	second := newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "one", AckWait: ackWait}), topic, second.ack)
	second.await(t, 5)
	second.requireQuiet(t, 5, 200*time.Millisecond)
	for i, payload := range second.all() {
		require.Equal(t, fmt.Sprintf("b %d", i), payload)
	}
}

func complete(t *testing.T, b Broker) {
	publishAll(t, b.Publisher(t), topic, events(5, "a")...)
	for range 2 {
		isComplete, err := b.EnsureConsumer(t.Context(), "late", ackWait, "events.>")
		require.NoError(t, err)
		require.True(t, isComplete)
	}
	got := newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "late", AckWait: ackWait}), "events.>", got.ack)
	got.await(t, 5)
	_, err := b.EnsureConsumer(t.Context(), "strange", ackWait, "elsewhere.>")
	require.Error(t, err)
	_, err = b.EnsureConsumer(t.Context(), "mixed", ackWait, "events.>", "poison.>")
	require.Error(t, err)
}

func filters(t *testing.T, b Broker) {
	p := b.Publisher(t)
	got := map[string]*record{}
	for name, pattern := range map[string]string{"all": "events.>", "users": "events.user.>", "created": "events.*.created.v1"} {
		ensure(t, b, name, ackWait, pattern)
		got[name] = newRecord()
		consume(t, b.Subscriber(t, Consumer{Name: name, AckWait: ackWait}), pattern, got[name].ack)
	}
	for i, subject := range []string{"events.user.created.v1", "events.user.deleted.v1", "events.order.created.v1", "events.order.placed.v1"} {
		publishAll(t, p, subject, event(subject, i))
	}
	for name, n := range map[string]int{"all": 4, "users": 2, "created": 2} {
		got[name].await(t, n)
		got[name].requireQuiet(t, n, 100*time.Millisecond)
	}
}
