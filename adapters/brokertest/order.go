package brokertest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/envelope"
)

// watcher sees how many handlers of one key, and of how many keys, run at once.
type watcher struct {
	mu      sync.Mutex
	running map[string]int
	overlap bool // two of one key
	most    int  // keys at once
	order   map[string][]string
}

func newWatcher() *watcher { return &watcher{running: map[string]int{}, order: map[string][]string{}} }

func (w *watcher) enter(msg *message.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := msg.Metadata.Get(envelope.MetaPartitionKey)
	w.running[key]++
	w.overlap = w.overlap || w.running[key] > 1
	w.most = max(w.most, len(w.running))
	w.order[key] = append(w.order[key], string(msg.Payload))
}

func (w *watcher) leave(msg *message.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := msg.Metadata.Get(envelope.MetaPartitionKey)
	if w.running[key]--; w.running[key] == 0 {
		delete(w.running, key)
	}
}

func keys(t *testing.T, b Broker) {
	const each = 20
	names := []string{"a", "b", "c", "d", "e"}
	ensure(t, b, "one", ackWait, topic)
	w, got := newWatcher(), newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "one", AckWait: ackWait}), topic, func(msg *message.Message) {
		w.enter(msg)
		wait(t, 2*time.Millisecond)
		w.leave(msg)
		got.ack(msg)
	})
	publishAll(t, b.Publisher(t), topic, events(each, names...)...)
	got.await(t, each*len(names))
	require.False(t, w.overlap, "two handlers of one key ran at once")
	require.Greater(t, w.most, 1, "keys waited for each other")
	for _, name := range names {
		var want []string
		for i := range each {
			want = append(want, fmt.Sprintf("%s %d", name, i))
		}
		require.Equal(t, want, w.order[name])
	}
}

func keysAcrossTopics(t *testing.T, b Broker) {
	ensure(t, b, "one", ackWait, topic)
	ensure(t, b, "one", ackWait, "requeue.one")
	w, got := newWatcher(), newRecord()
	handle := func(msg *message.Message) {
		w.enter(msg)
		wait(t, 5*time.Millisecond)
		w.leave(msg)
		got.ack(msg)
	}
	s := b.Subscriber(t, Consumer{Name: "one", AckWait: ackWait})
	consume(t, s, topic, handle)
	consume(t, s, "requeue.one", handle)
	p := b.Publisher(t)
	publishAll(t, p, topic, events(20, "k")...)
	publishAll(t, p, "requeue.one", events(20, "k")...)
	got.await(t, 40)
	require.False(t, w.overlap, "two handlers of one key ran at once")
}

func slowKey(t *testing.T, b Broker) {
	ensure(t, b, "one", ackWait, topic)
	hold := make(chan struct{})
	other := newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "one", InFlight: 16, AckWait: ackWait}), topic, func(msg *message.Message) {
		if msg.Metadata.Get(envelope.MetaPartitionKey) == "slow" {
			<-hold
			msg.Ack()
			return
		}
		other.ack(msg)
	})
	t.Cleanup(func() { close(hold) }) // before the subscriber is closed
	p := b.Publisher(t)
	publishAll(t, p, topic, events(50, "slow")...)
	publishAll(t, p, topic, events(5, "quick")...)
	other.await(t, 5)
}
