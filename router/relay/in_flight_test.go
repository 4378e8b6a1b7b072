package relay

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/outbox"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func row(id int64, key string, sequence int64) outbox.Pending {
	return outbox.Pending{
		ID: id, MessageID: "m" + strconv.FormatInt(id, 10), Topic: "events.order.placed.v1", Key: key, Sequence: sequence,
		Payload: []byte("x"),
	}
}

func ack(t *testing.T, w *inFlightTracker, id int64) *outbox.Pending {
	t.Helper()
	_, next, ok := w.acked(id, uint64(id), noon)
	require.True(t, ok)
	return next
}

func TestTrackerAdmitsOneRowOfAKeyAtATimeInOrder(t *testing.T) {
	t.Parallel()
	w := newInFlightTracker(10, map[string]*failingKey{})
	w.startScan(noon)
	require.True(t, w.admit(row(1, "a", 1), true, noon))
	require.False(t, w.admit(row(3, "a", 3), true, noon))
	require.False(t, w.admit(row(2, "a", 2), true, noon), "sequence decides, not the order of finding")
	require.True(t, w.admit(row(4, "b", 1), true, noon), "another key goes on")
	require.Equal(t, 2, w.outstanding())
	require.EqualValues(t, 2, ack(t, w, 1).ID)
	require.EqualValues(t, 3, ack(t, w, 2).ID)
	require.Nil(t, ack(t, w, 3))
	require.Nil(t, ack(t, w, 4))
	require.Zero(t, w.outstanding())
}

func TestTrackerSeparatesStreamsAndRowsWithoutAKey(t *testing.T) {
	t.Parallel()
	w := newInFlightTracker(10, map[string]*failingKey{})
	w.startScan(noon)
	poison := row(2, "a", 0)
	poison.Topic = "poison.order-customers"
	require.True(t, w.admit(row(1, "a", 1), true, noon))
	require.True(t, w.admit(poison, true, noon))
	require.True(t, w.admit(row(3, "", 0), true, noon))
	require.True(t, w.admit(row(4, "", 0), true, noon))
}

func TestTrackerAdmitsNoRowTwice(t *testing.T) {
	t.Parallel()
	w := newInFlightTracker(10, map[string]*failingKey{})
	w.startScan(noon)
	w.beginRead()
	require.True(t, w.admit(row(1, "a", 1), true, noon))
	require.False(t, w.admit(row(1, "a", 1), true, noon), "unacknowledged")
	w.endRead()
	ack(t, w, 1)
	_, _, again := w.acked(1, 1, noon)
	require.False(t, again, "an acknowledgement counts once")

	w.startScan(noon)
	w.beginRead() // shows row 1, because its mark is not stored yet
	w.stored([]int64{1})
	require.False(t, w.admit(row(1, "a", 1), true, noon), "the read began before the mark was stored")
	w.endRead()

	require.Empty(t, w.rows, "nothing is remembered of it any more")
	require.Empty(t, w.queues)
	require.Zero(t, w.bytes)
}

func TestFailingKeyBlocksNoOtherKey(t *testing.T) {
	t.Parallel()
	w := newInFlightTracker(10, map[string]*failingKey{})
	w.startScan(noon)
	require.True(t, w.admit(row(1, "a", 1), true, noon))
	require.False(t, w.admit(row(2, "a", 2), true, noon))
	w.failed(1, noon)
	require.Equal(t, 1, w.failingCount())
	require.Empty(t, w.rows, "a failing key costs no memory")
	require.False(t, w.admit(row(3, "a", 3), true, noon.Add(time.Hour)), "not in the pass that has the failed row behind it")
	require.True(t, w.admit(row(4, "b", 1), true, noon))

	w.startScan(noon)
	require.False(t, w.admit(row(1, "a", 1), true, noon.Add(99*time.Millisecond)))
	w.checkPauses(noon.Add(99 * time.Millisecond))
	require.False(t, w.rescan)
	w.checkPauses(noon.Add(100 * time.Millisecond))
	require.True(t, w.rescan, "a pass is wanted once its pause is over")

	w.startScan(noon)
	require.True(t, w.admit(row(1, "a", 1), true, noon.Add(100*time.Millisecond)))
	w.failed(1, noon.Add(100*time.Millisecond))
	w.startScan(noon)
	require.False(t, w.admit(row(1, "a", 1), true, noon.Add(299*time.Millisecond)), "the pause grows")
	w.startScan(noon)
	require.True(t, w.admit(row(1, "a", 1), true, noon.Add(300*time.Millisecond)))
	ack(t, w, 1)
	require.Zero(t, w.failingCount())
}

func TestRowWhosePredecessorMayBeMissingIsDeferred(t *testing.T) {
	t.Parallel()
	w := newInFlightTracker(10, map[string]*failingKey{})
	w.startScan(noon)
	require.True(t, w.admit(row(1, "z", 1), true, noon))
	require.True(t, w.admit(row(50, "first", 1), false, noon), "nothing precedes number 1")
	require.True(t, w.admit(row(51, "unnumbered", 0), false, noon))
	require.False(t, w.admit(row(60, "a", 7), false, noon), "number 6 may have become visible behind the pass")
	require.False(t, w.admit(row(61, "a", 8), false, noon))
	require.False(t, w.admit(row(62, "z", 3), false, noon), "number 2 is missing")
	require.True(t, w.rescan)

	w.startScan(noon) // and there it is
	require.True(t, w.admit(row(20, "a", 6), true, noon))
	require.False(t, w.admit(row(60, "a", 7), false, noon))
	require.False(t, w.admit(row(61, "a", 8), false, noon))
	require.EqualValues(t, 60, ack(t, w, 20).ID)
	require.EqualValues(t, 61, ack(t, w, 60).ID)
}

func TestDeferredRowIsAdmittedByTheNextScan(t *testing.T) {
	t.Parallel()
	w := newInFlightTracker(10, map[string]*failingKey{})
	w.startScan(noon)
	require.False(t, w.admit(row(60, "a", 7), false, noon))
	w.startScan(noon)
	require.True(t, w.admit(row(60, "a", 7), false, noon), "its predecessor would have been seen")
	require.False(t, w.admit(row(70, "a", 8), false, noon), "it waits behind, without doubt: it follows the one before")
	require.EqualValues(t, 70, ack(t, w, 60).ID)
	w.startScan(noon)
	require.False(t, w.admit(row(80, "b", 3), false, noon))
	w.startScan(noon)
	w.startScan(noon)
	require.False(t, w.admit(row(80, "b", 3), false, noon), "a sight two passes ago says nothing")
}

func TestTrackerBoundsItsMemory(t *testing.T) {
	t.Parallel()
	w := newInFlightTracker(40, map[string]*failingKey{})
	w.startScan(noon)
	for id := range int64(maxFollowers + 100) {
		w.admit(row(id+1, "hot", id+1), true, noon)
	}
	require.Len(t, w.rows, maxFollowers+1)
	require.False(t, w.full(), "one key does not fill the window")
	for id := range int64(maxFollowers + 1) {
		require.False(t, w.rescan)
		ack(t, w, id+1)
	}
	require.True(t, w.rescan, "a pass finds the rest")

	w = newInFlightTracker(4, map[string]*failingKey{})
	w.startScan(noon)
	for id := range int64(4 * backlogFactor) {
		require.False(t, w.full())
		require.True(t, w.admit(row(id+1, "", 0), true, noon))
		ack(t, w, id+1)
	}
	require.True(t, w.full(), "marks that are not stored fill it")
	w.beginRead()
	w.stored([]int64{1, 2, 3})
	require.False(t, w.full(), "rows that wait for the end of a read do not, because the read may wait for room")

	w = newInFlightTracker(4, map[string]*failingKey{})
	w.startScan(noon)
	for id := range int64(4*backlogFactor + 1) {
		require.False(t, w.full())
		w.admit(row(id+1, "hot", id+1), true, noon)
	}
	require.True(t, w.full(), "rows behind others fill it")
	w.failed(1, noon)
	require.False(t, w.full())

	w = newInFlightTracker(4, map[string]*failingKey{})
	w.startScan(noon)
	for id := range int64(4) {
		require.False(t, w.full())
		require.True(t, w.admit(row(id+1, strconv.FormatInt(id, 10), 1), true, noon))
	}
	require.True(t, w.full())
	ack(t, w, 1)
	require.False(t, w.full())

	w = newInFlightTracker(4, map[string]*failingKey{})
	w.startScan(noon)
	big := row(1, "a", 1)
	big.Payload = make([]byte, maxBytes)
	require.True(t, w.admit(big, true, noon))
	require.True(t, w.full(), "payloads fill it")
	ack(t, w, 1)
	require.False(t, w.full())
}

func TestPersistentlyFailingKeyBacksOff(t *testing.T) {
	t.Parallel()
	w, now := newInFlightTracker(10, map[string]*failingKey{}), noon
	fail := func() {
		w.startScan(noon)
		require.True(t, w.admit(row(1, "a", 1), true, now))
		w.failed(1, now)
	}
	fail()
	w = newInFlightTracker(10, w.persistentFailures(now))
	require.Zero(t, w.failingCount(), "once is nothing to remember")
	for n := range 20 {
		now = now.Add(failMax)
		fail()
		if n >= persistentAfter {
			w = newInFlightTracker(10, w.persistentFailures(now))
		}
	}
	require.Equal(t, 1, w.failingCount(), "known in the next publish session, too")
	w.startScan(noon)
	require.False(t, w.admit(row(1, "a", 1), true, now.Add(time.Minute)))
	require.True(t, w.admit(row(2, "b", 1), true, now), "others go on")
	w.checkPauses(now.Add(failMax))
	require.True(t, w.rescan)
	w.startScan(noon)
	require.True(t, w.admit(row(1, "a", 1), true, now.Add(failMax)))
	ack(t, w, 1)
	require.Empty(t, w.persistentFailures(now))

	w = newInFlightTracker(10, map[string]*failingKey{})
	for range 20 {
		now = now.Add(failMax)
		fail()
	}
	require.Empty(t, w.persistentFailures(now.Add(time.Hour)), "a row that is there no more is forgotten")
}
