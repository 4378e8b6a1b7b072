package brokertest

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// restarter skips where the broker cannot be killed.
func restarter(t *testing.T, b Broker) Restarter {
	t.Helper()
	r, can := b.(Restarter)
	if !can {
		t.Skip("this broker ends with the process")
	}
	return r
}

func restartUnderLoad(t *testing.T, b Broker) {
	r := restarter(t, b)
	const keyCount, each = 40, 50
	ensure(t, b, "one", 2*time.Second, topic)
	got := newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "one", InFlight: 32, AckWait: 2 * time.Second}), topic, got.ack)
	p := b.Publisher(t)
	var acknowledged atomic.Int32
	var writers sync.WaitGroup
	for k := range keyCount {
		writers.Go(func() {
			for i := range each {
				msg := event("k"+strconv.Itoa(k), i)
				for p.Publish(topic, msg) != nil { // the same message until it is acknowledged
					wait(t, 20*time.Millisecond)
					if t.Context().Err() != nil {
						return
					}
				}
				acknowledged.Add(1)
			}
		})
	}
	for _, at := range []int32{keyCount * each / 4, keyCount * each / 2} {
		require.Eventually(t, func() bool { return acknowledged.Load() >= at }, patient, time.Millisecond)
		r.Kill()
		r.Start()
	}
	writers.Wait()
	require.Eventually(t, func() bool { return len(got.counts()) == keyCount*each }, patient, 20*time.Millisecond,
		"acknowledged messages did not arrive")
}

func doneOnceThoughKilled(t *testing.T, b Broker) {
	r := restarter(t, b)
	const many = 20_000
	p := b.Publisher(t)
	calls := make([]atomic.Int32, many)
	var failed atomic.Int32
	var answered sync.WaitGroup
	answered.Add(many)
	killed := make(chan struct{})
	for i := range many {
		if i == many/2 {
			go func() { r.Kill(); close(killed) }()
		}
		p.PublishAsync(topic, event("k"+strconv.Itoa(i), i), func(_ uint64, err error) {
			if err != nil {
				failed.Add(1)
			}
			if calls[i].Add(1) == 1 {
				answered.Done()
			}
		})
	}
	finished := make(chan struct{})
	go func() { answered.Wait(); close(finished) }()
	receive(t, finished, "an answer to each publish")
	<-killed
	require.Eventually(t, func() bool { return !p.Connected() }, patient, time.Millisecond)
	r.Start()
	require.Eventually(t, p.Connected, patient, time.Millisecond)
	require.NoError(t, p.Publish(topic, event("after", 1)))
	require.NotZero(t, failed.Load(), "nothing was under way when the broker died")
	for i := range calls {
		require.EqualValues(t, 1, calls[i].Load())
	}
}
