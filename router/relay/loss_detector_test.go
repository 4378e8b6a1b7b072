package relay

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/outbox"
)

// In a cluster a stream may lose its tail while the connection, to another node, stands.
func TestTailLostOnALiveConnectionIsRepublished(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]func(*fixture) map[string]int{
		"and nothing is published": func(*fixture) map[string]int { return nil },
		"and one row is published": func(r *fixture) map[string]int {
			r.outbox.add("b", 1)
			return map[string]int{"b": 1}
		},
		"and the stream grows beyond what it was at once": func(r *fixture) map[string]int {
			more := map[string]int{}
			for n := range 300 {
				key := fmt.Sprintf("more-%d", n)
				r.outbox.add(key, 1)
				more[key] = 1
			}
			return more
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newFixture()
				stop := r.start(t, nil)
				keys := map[string]int{}
				for n := range 230 { // more than two steps of a comparison
					key := fmt.Sprintf("key-%d", n)
					r.outbox.add(key, 1)
					keys[key] = 1
				}
				eventually(t, time.Second, r.drained)
				<-time.After(time.Minute)
				r.broker.reconnect(210)
				maps.Copy(keys, after(r))
				eventually(t, 10*time.Second, func() bool { return len(r.broker.contents()) == len(keys) && r.drained() })
				r.requireOrder(t, keys)
				require.InDelta(t, 210, r.gauge(t, "millrace_outbox_unmarked_total"), 0)
				stop()
			})
		})
	}
}

// Rows that another relay published but did not mark come again, and the broker answers with the places they have.
func TestDuplicatesAreNotMistakenForALostTail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		var rows []outbox.Pending
		for n := range 50 {
			rows = append(rows, r.outbox.add(fmt.Sprintf("key-%d", n), 1))
		}
		for _, p := range slices.Backward(rows) {
			msg, err := toMessage(p)
			require.NoError(t, err)
			r.broker.PublishAsync(p.Topic, msg, func(uint64, error) {})
		}
		stop := r.start(t, nil)
		eventually(t, time.Second, r.drained)
		<-time.After(time.Minute)
		for _, p := range rows {
			require.Equal(t, 2, r.broker.sendsOf(p.MessageID))
		}
		require.Zero(t, r.gauge(t, "millrace_outbox_unmarked_total"))
		stop()
	})
}
