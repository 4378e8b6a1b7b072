package brokertest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// place publishes and gives the place in the stream.
func place(t *testing.T, p Publisher, topic, id, deduplication string) uint64 {
	t.Helper()
	msg := event("k", 1)
	msg.UUID = id
	if deduplication != "" {
		msg.Metadata.Set("Nats-Msg-Id", deduplication)
	}
	sequences := make(chan uint64, 1)
	p.PublishAsync(topic, msg, func(sequence uint64, err error) {
		if err != nil {
			t.Errorf("publish: %v", err)
		}
		sequences <- sequence
	})
	return receive(t, sequences, "an acknowledgement")
}

func duplicates(t *testing.T, b Broker) {
	p, id := b.Publisher(t), uuid.NewString()
	first := place(t, p, topic, id, "")
	require.Equal(t, first, place(t, p, topic, id, ""), "the repeat has the place of the first")
	require.NotEqual(t, first, place(t, p, topic, id, "another"), "Nats-Msg-Id tells repeats, not the UUID")
	require.Equal(t, first, place(t, p, topic, uuid.NewString(), id))
}

func poisonInsideWindow(t *testing.T, b Broker) {
	p, id := b.Publisher(t), uuid.NewString()
	ensure(t, b, "keeper", ackWait, "poison.>")
	place(t, p, topic, id, "")
	place(t, p, "poison.one", id, "")
	place(t, p, "poison.two", id, "poison of two")
	got := newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "keeper", AckWait: ackWait}), "poison.>", got.ack)
	for _, msg := range got.await(t, 2) {
		require.Equal(t, id, msg.UUID)
	}
}

func requeueReachesOne(t *testing.T, b Broker) {
	p, id := b.Publisher(t), uuid.NewString()
	got := map[string]*record{"one": newRecord(), "two": newRecord()}
	for name, r := range got {
		ensure(t, b, name, ackWait, "events.>")
		ensure(t, b, name, ackWait, "requeue."+name)
		s := b.Subscriber(t, Consumer{Name: name, AckWait: ackWait})
		consume(t, s, "events.>", r.ack)
		consume(t, s, "requeue."+name, r.ack)
	}
	place(t, p, topic, id, "")
	got["one"].await(t, 1)
	got["two"].await(t, 1)
	place(t, p, "requeue.two", id, "round 1")
	messages := got["two"].await(t, 2)
	require.Equal(t, messages[0].UUID, messages[1].UUID, "a requeued message keeps its event ID")
	got["one"].requireQuiet(t, 1, 200*time.Millisecond)
}

func doneOnce(t *testing.T, b Broker) {
	const many = 5000
	p := b.Publisher(t)
	var calls [many]atomic.Int32
	var answered sync.WaitGroup
	answered.Add(many)
	sequences := sync.Map{}
	for i := range many {
		p.PublishAsync(topic, event("k", i), func(sequence uint64, err error) {
			if err != nil {
				t.Errorf("publish: %v", err)
			}
			sequences.Store(sequence, i)
			if calls[i].Add(1) == 1 {
				answered.Done()
			}
		})
	}
	answered.Wait()
	for i := range uint64(many) {
		at, found := sequences.Load(i + 1)
		require.True(t, found, "nothing has place %d", i+1)
		require.Equal(t, int(i), at, "messages are stored in the order of the calls")
	}
	for i := range calls {
		require.EqualValues(t, 1, calls[i].Load())
	}
}

func publishFromDone(t *testing.T, b Broker) {
	const chains, length = 600, 20
	p := b.Publisher(t)
	var chained sync.WaitGroup
	var next func(left int) func(uint64, error)
	next = func(left int) func(uint64, error) {
		return func(_ uint64, err error) {
			if err != nil {
				t.Errorf("publish: %v", err)
			}
			if left == 0 {
				chained.Done()
				return
			}
			p.PublishAsync(topic, event("k", left), next(left-1))
		}
	}
	for i := range chains {
		chained.Add(1)
		p.PublishAsync(topic, event("k", i), next(length))
	}
	finished := make(chan struct{})
	go func() { chained.Wait(); close(finished) }()
	receive(t, finished, "publishes from done")
}

func holds(t *testing.T, b Broker) {
	p, id := b.Publisher(t), uuid.NewString()
	require.True(t, p.Connected())
	at := place(t, p, topic, id, "")
	other := place(t, p, topic, uuid.NewString(), "its own")
	for _, c := range []struct {
		name     string
		topic    string
		sequence uint64
		id       string
		want     bool
	}{
		{"the message itself", topic, at, id, true},
		{"another topic of its stream", "events.other.v1", at, id, true},
		{"a message with an ID of its own for repeats", topic, other, "its own", true},
		{"another message's place", topic, other, id, false},
		{"beyond the end", topic, other + 100, id, false},
		{"no place", topic, 0, id, false},
		{"another stream", "poison.one", at, id, false},
	} {
		held, err := p.Holds(t.Context(), c.topic, c.sequence, c.id)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, held, c.name)
	}
}
