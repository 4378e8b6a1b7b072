package brokertest

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/internal/timingtest"

	"github.com/millrace/millrace/app/delivery"
	"github.com/millrace/millrace/app/envelope"
)

func nackRedelivers(t *testing.T, b Broker) {
	ensure(t, b, "one", ackWait, topic)
	got := newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "one", AckWait: ackWait}), topic, func(msg *message.Message) {
		got.add(msg)
		if count(msg) < 3 {
			msg.Nack()
			return
		}
		msg.Ack()
	})
	publishAll(t, b.Publisher(t), topic, event("k", 1))
	messages := got.await(t, 3)
	for i, msg := range messages {
		require.Equal(t, i+1, count(msg))
		require.Equal(t, messages[0].UUID, msg.UUID)
	}
	got.requireQuiet(t, 3, 200*time.Millisecond)
}

func putBackDelay(t *testing.T, b Broker) {
	const delay = 700 * time.Millisecond
	ensure(t, b, "one", ackWait, topic)
	got := newRecord()
	at := make(chan time.Time, 2)
	consume(t, b.Subscriber(t, Consumer{Name: "one", AckWait: ackWait}), topic, func(msg *message.Message) {
		at <- time.Now()
		got.add(msg)
		if count(msg) == 1 {
			delivery.From(msg.Context()).SetNackDelay(delay)
			msg.Nack()
			return
		}
		msg.Ack()
	})
	publishAll(t, b.Publisher(t), topic, event("k", 1))
	got.await(t, 2)
	first, second := <-at, <-at
	require.GreaterOrEqual(t, second.Sub(first), delay-50*time.Millisecond)
	timingtest.Within(t, first, 5*time.Second, "a redelivery after "+delay.String())
}

func leaveRedelivers(t *testing.T, b Broker) {
	const short = 1500 * time.Millisecond
	ensure(t, b, "one", short, topic)
	got := newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "one", AckWait: short}), topic, func(msg *message.Message) {
		got.add(msg)
		if count(msg) == 1 {
			delivery.From(msg.Context()).LeaveUnacknowledged()
			msg.Nack()
			return
		}
		msg.Ack()
	})
	publishAll(t, b.Publisher(t), topic, event("k", 1))
	got.await(t, 1)
	got.requireQuiet(t, 1, short/2)
	got.await(t, 2)
}

func heartbeats(t *testing.T, b Broker) {
	const short = time.Second
	ensure(t, b, "one", short, topic)
	got := newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "one", AckWait: short}), topic, func(msg *message.Message) {
		got.add(msg) // when it begins: a repeat begins as soon as the first one is done
		wait(t, 3*short)
		msg.Ack()
	})
	publishAll(t, b.Publisher(t), topic, events(1, "a", "b")...)
	got.await(t, 2)
	got.requireQuiet(t, 2, 4*short)
}

func heartbeatsWhileWaiting(t *testing.T, b Broker) {
	const short = time.Second
	ensure(t, b, "one", short, topic)
	got := newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "one", AckWait: short}), topic, func(msg *message.Message) {
		if string(msg.Payload) == "k 0" {
			wait(t, 3*short)
		}
		got.ack(msg)
	})
	publishAll(t, b.Publisher(t), topic, events(3, "k")...)
	for _, msg := range got.await(t, 3) {
		require.Equal(t, 1, count(msg))
	}
	got.requireQuiet(t, 3, short/2)
	require.Equal(t, []string{"k 0", "k 1", "k 2"}, got.all())
}

func handlingLimit(t *testing.T, b Broker) {
	const short = time.Second
	ensure(t, b, "one", short, topic)
	hanging, other := newRecord(), newRecord()
	hold := make(chan struct{})
	// The one whose handler hangs has no room for more, so that the message comes again to the other one.
	config := Consumer{Name: "one", InFlight: 1, AckWait: short, HandlingLimit: 2 * short}
	consume(t, b.Subscriber(t, config), topic, func(msg *message.Message) {
		hanging.add(msg)
		<-hold
		delivery.From(msg.Context()).LeaveUnacknowledged()
		msg.Nack()
	})
	t.Cleanup(func() { close(hold) }) // before the subscriber is closed
	publishAll(t, b.Publisher(t), topic, event("k", 1))
	hanging.await(t, 1)
	consume(t, b.Subscriber(t, config), topic, other.ack)
	other.requireQuiet(t, 0, 3*short/2)
	require.Equal(t, 2, count(other.await(t, 1)[0]))
}

func putBackDelaysNobody(t *testing.T, b Broker) {
	const many = 1000
	ensure(t, b, "one", ackWait, topic)
	early, other := newRecord(), newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "one", InFlight: 8, AckWait: ackWait}), topic, func(msg *message.Message) {
		if msg.Metadata.Get(envelope.MetaPartitionKey) == "early" {
			early.add(msg)
			delivery.From(msg.Context()).SetNackDelay(ackWait)
			msg.Nack()
			return
		}
		other.ack(msg)
	})
	p := b.Publisher(t)
	publishAll(t, p, topic, events(many, "early")...)
	early.await(t, many)
	published := time.Now()
	publishAll(t, p, topic, event("other", 1))
	other.await(t, 1)
	timingtest.Within(t, published, 5*time.Second, "a message of another key")
}
