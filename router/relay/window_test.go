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

func ack(t *testing.T, w *window, id int64) *outbox.Pending {
	t.Helper()
	_, next, ok := w.acked(id, uint64(id), noon)
	require.True(t, ok)
	return next
}

func TestWindowPublishesOneRowOfAKeyAtATimeInOrder(t *testing.T) {
	t.Parallel()
	w := newWindow(10, map[string]*failing{})
	w.startPass(noon)
	require.True(t, w.take(row(1, "a", 1), true, noon))
	require.False(t, w.take(row(3, "a", 3), true, noon))
	require.False(t, w.take(row(2, "a", 2), true, noon), "sequence decides, not the order of finding")
	require.True(t, w.take(row(4, "b", 1), true, noon), "another key goes on")
	require.Equal(t, 2, w.outstanding())
	require.EqualValues(t, 2, ack(t, w, 1).ID)
	require.EqualValues(t, 3, ack(t, w, 2).ID)
	require.Nil(t, ack(t, w, 3))
	require.Nil(t, ack(t, w, 4))
	require.Zero(t, w.outstanding())
}

func TestWindowKeepsStreamsApartAndRowsWithoutAKey(t *testing.T) {
	t.Parallel()
	w := newWindow(10, map[string]*failing{})
	w.startPass(noon)
	poison := row(2, "a", 0)
	poison.Topic = "poison.order-customers"
	require.True(t, w.take(row(1, "a", 1), true, noon))
	require.True(t, w.take(poison, true, noon))
	require.True(t, w.take(row(3, "", 0), true, noon))
	require.True(t, w.take(row(4, "", 0), true, noon))
}

func TestWindowTakesNoRowTwice(t *testing.T) {
	t.Parallel()
	w := newWindow(10, map[string]*failing{})
	w.startPass(noon)
	w.beginRead()
	require.True(t, w.take(row(1, "a", 1), true, noon))
	require.False(t, w.take(row(1, "a", 1), true, noon), "unacknowledged")
	w.endRead()
	ack(t, w, 1)
	_, _, again := w.acked(1, 1, noon)
	require.False(t, again, "an acknowledgement counts once")

	w.startPass(noon)
	w.beginRead() // shows row 1, because its mark is not stored yet
	w.marked([]int64{1})
	require.False(t, w.take(row(1, "a", 1), true, noon), "the read began before the mark was stored")
	w.endRead()

	require.Empty(t, w.rows, "nothing is remembered of it any more")
	require.Empty(t, w.lanes)
	require.Zero(t, w.bytes)
}

func TestWindowHoldsAFailingKeyOnly(t *testing.T) {
	t.Parallel()
	w := newWindow(10, map[string]*failing{})
	w.startPass(noon)
	require.True(t, w.take(row(1, "a", 1), true, noon))
	require.False(t, w.take(row(2, "a", 2), true, noon))
	w.failed(1, noon)
	require.Equal(t, 1, w.held())
	require.Empty(t, w.rows, "a failing key costs no memory")
	require.False(t, w.take(row(3, "a", 3), true, noon.Add(time.Hour)), "not in the pass that has the failed row behind it")
	require.True(t, w.take(row(4, "b", 1), true, noon))

	w.startPass(noon)
	require.False(t, w.take(row(1, "a", 1), true, noon.Add(99*time.Millisecond)))
	w.retryDue(noon.Add(99 * time.Millisecond))
	require.False(t, w.again)
	w.retryDue(noon.Add(100 * time.Millisecond))
	require.True(t, w.again, "a pass is wanted once its pause is over")

	w.startPass(noon)
	require.True(t, w.take(row(1, "a", 1), true, noon.Add(100*time.Millisecond)))
	w.failed(1, noon.Add(100*time.Millisecond))
	w.startPass(noon)
	require.False(t, w.take(row(1, "a", 1), true, noon.Add(299*time.Millisecond)), "the pause grows")
	w.startPass(noon)
	require.True(t, w.take(row(1, "a", 1), true, noon.Add(300*time.Millisecond)))
	ack(t, w, 1)
	require.Zero(t, w.held())
}

func TestWindowDoubtsRowsBehindThePageThatMightHaveMissedTheirPredecessor(t *testing.T) {
	t.Parallel()
	w := newWindow(10, map[string]*failing{})
	w.startPass(noon)
	require.True(t, w.take(row(1, "z", 1), true, noon))
	require.True(t, w.take(row(50, "first", 1), false, noon), "nothing precedes number 1")
	require.True(t, w.take(row(51, "unnumbered", 0), false, noon))
	require.False(t, w.take(row(60, "a", 7), false, noon), "number 6 may have become visible behind the pass")
	require.False(t, w.take(row(61, "a", 8), false, noon))
	require.False(t, w.take(row(62, "z", 3), false, noon), "number 2 is missing")
	require.True(t, w.again)

	w.startPass(noon) // and there it is
	require.True(t, w.take(row(20, "a", 6), true, noon))
	require.False(t, w.take(row(60, "a", 7), false, noon))
	require.False(t, w.take(row(61, "a", 8), false, noon))
	require.EqualValues(t, 60, ack(t, w, 20).ID)
	require.EqualValues(t, 61, ack(t, w, 60).ID)
}

func TestWindowTakesADoubtfulRowAtItsSecondSight(t *testing.T) {
	t.Parallel()
	w := newWindow(10, map[string]*failing{})
	w.startPass(noon)
	require.False(t, w.take(row(60, "a", 7), false, noon))
	w.startPass(noon)
	require.True(t, w.take(row(60, "a", 7), false, noon), "its predecessor would have been seen")
	require.False(t, w.take(row(70, "a", 8), false, noon), "it waits behind, without doubt: it follows the one before")
	require.EqualValues(t, 70, ack(t, w, 60).ID)
	w.startPass(noon)
	require.False(t, w.take(row(80, "b", 3), false, noon))
	w.startPass(noon)
	w.startPass(noon)
	require.False(t, w.take(row(80, "b", 3), false, noon), "a sight two passes ago says nothing")
}

func TestWindowBoundsWhatItRemembers(t *testing.T) {
	t.Parallel()
	w := newWindow(40, map[string]*failing{})
	w.startPass(noon)
	for id := range int64(maxFollowers + 100) {
		w.take(row(id+1, "hot", id+1), true, noon)
	}
	require.Len(t, w.rows, maxFollowers+1)
	require.False(t, w.full(), "one key does not fill the window")
	for id := range int64(maxFollowers + 1) {
		require.False(t, w.again)
		ack(t, w, id+1)
	}
	require.True(t, w.again, "a pass finds the rest")

	w = newWindow(4, map[string]*failing{})
	w.startPass(noon)
	for id := range int64(4 * backlogRate) {
		require.False(t, w.full())
		require.True(t, w.take(row(id+1, "", 0), true, noon))
		ack(t, w, id+1)
	}
	require.True(t, w.full(), "marks that are not stored fill it")
	w.beginRead()
	w.marked([]int64{1, 2, 3})
	require.False(t, w.full(), "rows that wait for the end of a read do not, because the read may wait for room")

	w = newWindow(4, map[string]*failing{})
	w.startPass(noon)
	for id := range int64(4*backlogRate + 1) {
		require.False(t, w.full())
		w.take(row(id+1, "hot", id+1), true, noon)
	}
	require.True(t, w.full(), "rows behind others fill it")
	w.failed(1, noon)
	require.False(t, w.full())

	w = newWindow(4, map[string]*failing{})
	w.startPass(noon)
	for id := range int64(4) {
		require.False(t, w.full())
		require.True(t, w.take(row(id+1, strconv.FormatInt(id, 10), 1), true, noon))
	}
	require.True(t, w.full())
	ack(t, w, 1)
	require.False(t, w.full())

	w = newWindow(4, map[string]*failing{})
	w.startPass(noon)
	big := row(1, "a", 1)
	big.Payload = make([]byte, maxBytes)
	require.True(t, w.take(big, true, noon))
	require.True(t, w.full(), "payloads fill it")
	ack(t, w, 1)
	require.False(t, w.full())
}

func TestKeyThatFailsForLongIsTriedEverMoreSeldom(t *testing.T) {
	t.Parallel()
	w, now := newWindow(10, map[string]*failing{}), noon
	fail := func() {
		w.startPass(noon)
		require.True(t, w.take(row(1, "a", 1), true, now))
		w.failed(1, now)
	}
	fail()
	w = newWindow(10, w.failingOn(now))
	require.Zero(t, w.held(), "once is nothing to remember")
	for n := range 20 {
		now = now.Add(failMax)
		fail()
		if n >= lasting {
			w = newWindow(10, w.failingOn(now))
		}
	}
	require.Equal(t, 1, w.held(), "known in the next stretch, too")
	w.startPass(noon)
	require.False(t, w.take(row(1, "a", 1), true, now.Add(time.Minute)))
	require.True(t, w.take(row(2, "b", 1), true, now), "others go on")
	w.retryDue(now.Add(failMax))
	require.True(t, w.again)
	w.startPass(noon)
	require.True(t, w.take(row(1, "a", 1), true, now.Add(failMax)))
	ack(t, w, 1)
	require.Empty(t, w.failingOn(now))

	w = newWindow(10, map[string]*failing{})
	for range 20 {
		now = now.Add(failMax)
		fail()
	}
	require.Empty(t, w.failingOn(now.Add(time.Hour)), "a row that is there no more is forgotten")
}
