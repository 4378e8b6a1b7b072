package relay

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
)

var errStreamFull = fault.New(fault.Unavailable, "broker_refused", "The broker refuses messages: maximum messages exceeded.")

// refusingBroker is a broker whose stream refuses messages while full says so. It counts what it is sent.
type refusingBroker struct {
	*fakeBroker

	full atomic.Bool
	sent atomic.Int64
}

func (r *fixture) startRefusing(t *testing.T, change func(*Config)) (*refusingBroker, func()) {
	t.Helper()
	b := &refusingBroker{fakeBroker: r.broker}
	b.refusal = errStreamFull
	b.setResponse(func(string, int) response {
		b.sent.Add(1)
		if b.full.Load() {
			return refuse
		}
		return storeAndAck
	})
	return b, r.start(t, func(c *Config) {
		c.Broker = b
		if change != nil {
			change(c)
		}
	})
}

// Each new order is a key of its own: pauses of keys alone let a broker that refuses everything be asked more often with each order.
func TestRefusingStreamIsProbedWithBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		b, stop := r.startRefusing(t, nil)
		b.full.Store(true)
		keys := map[string]int{}
		write := func(seconds int) (sent int64) {
			before := b.sent.Load()
			for range seconds * 100 {
				key := fmt.Sprintf("key-%d", len(keys))
				keys[key] = 1
				r.outbox.add(key, 1)
				<-time.After(10 * time.Millisecond)
			}
			return b.sent.Load() - before
		}
		first := write(10)
		require.Less(t, first, int64(2048+20), "what was on its way, and a few probes")
		for range 5 {
			require.LessOrEqual(t, write(10), int64(10*time.Second/breakerMax)+1, "one probe for each pause")
		}
		require.LessOrEqual(t, strings.Count(r.log.String(), "broker refuses a stream's messages"), 2, "told once, and again after a while")
		require.NotContains(t, r.log.String(), "publication failed")
		trouble, found := r.relay.DegradedReason()
		require.True(t, found)
		require.Equal(t, "events", trouble.Stream)
		require.ErrorIs(t, trouble.Err, errStreamFull)
		require.InDelta(t, 60, time.Since(trouble.Since).Seconds(), 1)

		b.full.Store(false)
		recovered := time.Now()
		eventually(t, breakerMax+2*time.Second, r.drained)
		require.Less(t, time.Since(recovered), breakerMax+2*time.Second)
		r.requireOrder(t, keys)
		_, found = r.relay.DegradedReason()
		require.False(t, found)
		stop()
	})
}

// A stream with a little room takes a few messages at a time: what is sent in vain is in proportion to what it takes.
func TestSlowStreamIsSentFewMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		b, stop := r.startRefusing(t, nil)
		var room atomic.Int64
		b.setResponse(func(string, int) response {
			b.sent.Add(1)
			if room.Add(-1) < 0 {
				return refuse
			}
			return storeAndAck
		})
		const rows = 3000
		keys := map[string]int{}
		for n := range rows {
			key := fmt.Sprintf("key-%d", n%1500)
			keys[key]++
			r.outbox.add(key, int64(keys[key]))
		}
		<-time.After(10 * time.Second)
		for range 20 {
			room.Store(10)
			<-time.After(5 * time.Second)
		}
		taken := rows - r.outbox.waiting()
		require.GreaterOrEqual(t, taken, 150, "room is used")
		require.Less(t, b.sent.Load(), int64(2048+20*60), "and little is sent in vain")
		room.Store(1 << 40)
		eventually(t, 10*time.Second, r.drained)
		r.requireOrder(t, keys)
		stop()
	})
}

func TestRefusingStreamBlocksNoOtherStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		b, stop := r.startRefusing(t, func(c *Config) { c.PageSize = 20 })
		b.setResponseByTopic(func(topic string) response {
			if envelope.Prefix(topic) == "events" {
				return refuse
			}
			return storeAndAck
		})
		for n := range 5000 { // many pages of what cannot be published
			r.outbox.add(fmt.Sprintf("key-%d", n), 1)
		}
		<-time.After(time.Minute)
		reads, sent := r.outbox.rowsRead(), b.sent.Load()
		p := r.outbox.newRow("late", 1)
		p.Topic = "poison.order-customers"
		r.outbox.commit(p)
		eventually(t, time.Second, func() bool { s, _ := r.outbox.mark(p.ID); return s != 0 })
		<-time.After(time.Minute)
		require.Equal(t, 5000, r.outbox.waiting())
		require.Less(t, b.sent.Load()-sent, int64(40))
		require.Less(t, r.outbox.rowsRead()-reads, 40*20*4, "a stream that takes nothing is not read")
		stop()
	})
}

// One message that is too large for the room that is left must not keep the smaller ones behind it.
func TestProbesOfARefusingStreamUseDifferentRows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		large := r.outbox.add("large", 1)
		b := r.broker
		b.refusal = errStreamFull
		b.setResponse(func(id string, _ int) response {
			if id == large.MessageID {
				return refuse
			}
			return storeAndAck
		})
		stop := r.start(t, nil)
		<-time.After(time.Minute)
		for n := range 50 {
			r.outbox.add(fmt.Sprintf("key-%d", n), 1)
		}
		eventually(t, 2*breakerMax, func() bool { return r.outbox.waiting() == 1 })
		stop()
	})
}
