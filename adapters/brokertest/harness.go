package brokertest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/delivery"
	"github.com/millrace/millrace/app/envelope"
)

const (
	topic   = "events.thing.happened.v1"
	ackWait = 5 * time.Minute // longer than any test: what comes again does not come because of it
	patient = time.Minute     // no machine is so slow
)

// event makes a message about a key.
func event(key string, n int) *message.Message {
	msg := message.NewMessage(uuid.NewString(), []byte(fmt.Sprintf("%s %d", key, n)))
	msg.Metadata.Set(envelope.MetaPartitionKey, key)
	return msg
}

// ensure makes a durable.
func ensure(t *testing.T, b Broker, name string, wait time.Duration, filters ...string) {
	t.Helper()
	_, err := b.EnsureConsumer(t.Context(), name, wait, filters...)
	require.NoError(t, err)
}

// consume subscribes and handles each message in a goroutine of its own, as Watermill's router does. stop closes the subscriber and
// waits for the handlers; it is called at the end of the test at the latest.
func consume(t *testing.T, s message.Subscriber, topic string, handle func(*message.Message)) (stop func()) {
	t.Helper()
	messages, err := s.Subscribe(context.WithoutCancel(t.Context()), topic) // which ends before the cleanup
	require.NoError(t, err)
	var handlers sync.WaitGroup
	handlers.Go(func() {
		for msg := range messages {
			handlers.Go(func() { handle(msg) })
		}
	})
	stop = sync.OnceFunc(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the subscriber: %v", err)
		}
		handlers.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// record collects what arrived.
type record struct {
	mu       sync.Mutex
	payloads []string
	messages []*message.Message
	changed  chan struct{}
}

func newRecord() *record { return &record{changed: make(chan struct{}, 1)} }

// add notes an arrival.
func (r *record) add(msg *message.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.payloads = append(r.payloads, string(msg.Payload))
	r.messages = append(r.messages, msg)
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// ack notes an arrival and acknowledges it.
func (r *record) ack(msg *message.Message) {
	r.add(msg)
	msg.Ack()
}

func (r *record) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.payloads)
}

// counts tells how often each payload arrived.
func (r *record) counts() map[string]int {
	counts := map[string]int{}
	for _, p := range r.all() {
		counts[p]++
	}
	return counts
}

// await waits for n arrivals and gives them.
func (r *record) await(t *testing.T, n int) []*message.Message {
	t.Helper()
	deadline := time.NewTimer(patient)
	defer deadline.Stop()
	for {
		r.mu.Lock()
		messages := slices.Clone(r.messages)
		r.mu.Unlock()
		if len(messages) >= n {
			return messages
		}
		select {
		case <-r.changed:
		case <-deadline.C:
			require.FailNowf(t, "messages did not arrive", "%d of %d", len(messages), n)
		}
	}
}

// requireQuiet requires that no further message arrives for a while.
func (r *record) requireQuiet(t *testing.T, n int, quiet time.Duration) {
	t.Helper()
	wait(t, quiet)
	require.Len(t, r.all(), n, "more messages arrived than were due")
}

// wait lets time go by, for what must not happen in it.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// receive waits for a signal.
func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patient):
		require.FailNow(t, "waited in vain for "+what)
		panic("unreachable")
	}
}

// publishAll publishes and waits for the acknowledgements.
func publishAll(t *testing.T, p Publisher, topic string, messages ...*message.Message) {
	t.Helper()
	var wg sync.WaitGroup
	for _, msg := range messages {
		wg.Add(1)
		p.PublishAsync(topic, msg, func(_ uint64, err error) {
			defer wg.Done()
			if err != nil {
				t.Errorf("publish: %v", err)
			}
		})
	}
	wg.Wait()
}

// events makes n messages of each key.
func events(n int, keys ...string) []*message.Message {
	var all []*message.Message
	for i := range n {
		for _, key := range keys {
			all = append(all, event(key, i))
		}
	}
	return all
}

// count is how often the broker has delivered a message.
func count(msg *message.Message) int { return delivery.From(msg.Context()).Count }
