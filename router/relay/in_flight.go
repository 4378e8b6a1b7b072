package relay

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/app/backoff"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/outbox"
)

// Bounds of what a window keeps in memory.
const (
	maxFollowers  = 256      // rows of one key behind the one that is being published
	maxBytes      = 64 << 20 // payloads
	maxDeferred   = 8192     // rows that wait to be seen a second time
	backlogFactor = 8        // rows that follow others, and acknowledged rows without a mark, each in multiples of the window
)

// Pauses of a key whose row failed. A row that the broker refuses for good fails for ever; one that failed for a reason of the moment is
// published within the first few of them.
const (
	failMin = 100 * time.Millisecond
	failMax = 2 * time.Minute
)

// Keys that failed more than persistentAfter times keep their backoff in the next publish session, at most maxPersistent of them: if more
// fail, the cause is not the keys.
const (
	persistentAfter = 4
	maxPersistent   = 1000
)

// inFlightTracker records the rows that the relay works on: which may be published now, and which not yet or not again. It has no I/O and
// is not safe for concurrent use.
//
// Rows are found by passes over the outbox. A pass begins at the lowest ID and reads page after page, each of which sees what is
// committed when it is read. Since IDs become visible in another order than they grow, a page behind the first may show a row whose
// predecessor, with an ID that the pass has left behind, became visible in between. Such a row is taken only if nothing can
// precede it, if it follows the last one taken of its key, or if the pass before had seen it: then its predecessor was visible
// before this pass began.
type inFlightTracker struct {
	limit int // the most rows without an acknowledgement

	rows        map[int64]*trackedRow // what must not be taken again
	queues      map[string]*keyQueue
	failingKeys map[string]*failingKey
	breakers    breakers
	inFlight    int
	queued      int // rows that follow one in flight
	unmarked    int // acknowledged rows whose mark is not stored
	bytes       int

	skippedKeys              map[string]bool // keys that this pass left something out of, and must take nothing more of
	skippedStreams           map[string]bool // streams that this pass left something out of
	deferred, deferredBefore map[int64]bool  // rows deferred in this pass, in the one before
	rescan                   bool            // another pass would find something to take

	readsBegun, readsDone int
	pendingRemovals       []pendingRemoval
}

type trackedRow struct {
	row     outbox.Pending // without its payload once it was acknowledged
	key     string
	isAcked bool
}

// keyQueue holds the rows of one key that the window knows.
type keyQueue struct {
	current      int64            // the row without an acknowledgement; 0: none
	queue        []outbox.Pending // what follows it, in order
	lastSequence int64            // the highest sequence taken
	rows         int              // rows of the key in window.rows
	overflowed   bool             // the queue was full: a pass has to find the rest
}

// failingKey is a key whose row failed, until one of its rows is acknowledged.
type failingKey struct {
	failures      int
	until         time.Time
	scanRequested bool // a pass for it was asked for
	byStream      bool // the stream refused its row, which may have been any: the pause ends when the stream takes messages again
}

// pendingRemoval is a batch of marked rows that a read which began before the mark may still show.
type pendingRemoval struct {
	reads int
	ids   []int64
}

func newInFlightTracker(limit int, known map[string]*failingKey) *inFlightTracker {
	return &inFlightTracker{
		limit: limit, rows: map[int64]*trackedRow{}, queues: map[string]*keyQueue{}, failingKeys: known,
		breakers:    newBreakers(slog.New(slog.DiscardHandler)),
		skippedKeys: map[string]bool{}, skippedStreams: map[string]bool{}, deferred: map[int64]bool{}, deferredBefore: map[int64]bool{},
	}
}

// queueKey is the lane that p must keep to. Keys of different streams have nothing to do with each other, and rows without a key
// nothing with any other.
func queueKey(p outbox.Pending) string {
	stream := envelope.Prefix(p.Topic)
	if p.Key == "" {
		return stream + "#" + p.MessageID
	}
	return stream + "/" + p.Key
}

// startScan begins a pass over the outbox from its lowest ID. Streams that take nothing for now are left out of it.
func (w *inFlightTracker) startScan(now time.Time) {
	clear(w.skippedKeys)
	clear(w.skippedStreams)
	for stream, b := range w.breakers {
		if !b.allows(now) {
			w.skippedStreams[stream] = true
		}
	}
	w.deferred, w.deferredBefore = w.deferredBefore, w.deferred
	clear(w.deferred)
	w.rescan = false
}

// streams returns those whose rows the pass may still take. One that was left out stays so: of its keys the pass would miss the first rows.
func (w *inFlightTracker) streams() (open []string) {
	for _, stream := range envelope.Prefixes() {
		if !w.skippedStreams[stream] {
			open = append(open, stream)
		}
	}
	return open
}

// scanLimitReached reports that the pass has deferred so many rows that another should begin.
func (w *inFlightTracker) scanLimitReached() bool { return len(w.deferred) >= maxDeferred }

// beginRead and endRead enclose the reading of a page and the taking of its rows.
func (w *inFlightTracker) beginRead() { w.readsBegun++ }

func (w *inFlightTracker) endRead() {
	w.readsDone++
	w.removeStored()
}

// full reports that nothing more is to be taken for now. What fills it goes away by itself: rows that only wait for the end of a
// read do not count, because that read may wait for room.
func (w *inFlightTracker) full() bool {
	return w.inFlight >= w.limit || w.bytes >= maxBytes || w.queued >= backlogFactor*w.limit || w.unmarked >= backlogFactor*w.limit
}

// admit looks at a row that a pass found. It is true where the row is to be published now, and false where the row is known, follows
// later, or is left for another pass. first says that the row is on the pass's first page.
func (w *inFlightTracker) admit(p outbox.Pending, first bool, now time.Time) bool {
	key := queueKey(p)
	if w.rows[p.ID] != nil || w.skippedKeys[key] || w.skippedStreams[envelope.Prefix(p.Topic)] {
		return false
	}
	if f := w.failingKeys[key]; f != nil && now.Before(f.until) {
		w.skippedKeys[key] = true
		return false
	}
	b := w.breakers.of(p.Topic)
	if !b.allows(now) {
		w.skippedStreams[b.stream] = true
		return false
	}
	l := w.queues[key]
	if !first && !w.orderIsKnown(l, p) {
		w.deferRow(p.ID, key)
		return false
	}
	if l == nil {
		l = &keyQueue{}
		w.queues[key] = l
	}
	if l.current != 0 && len(l.queue) >= maxFollowers {
		w.skippedKeys[key], l.overflowed = true, true
		return false
	}
	w.rows[p.ID] = &trackedRow{row: p, key: key}
	w.bytes += len(p.Payload)
	l.rows++
	l.lastSequence = max(l.lastSequence, p.Sequence)
	if l.current != 0 {
		l.queue = append(l.queue, p)
		slices.SortStableFunc(l.queue, inOrder)
		w.queued++
		return false
	}
	l.current = p.ID
	w.inFlight++
	b.inFlight++
	return true
}

func (w *inFlightTracker) orderIsKnown(l *keyQueue, p outbox.Pending) bool {
	return p.Sequence <= 1 || w.deferredBefore[p.ID] || l != nil && l.lastSequence != 0 && l.lastSequence == p.Sequence-1
}

func (w *inFlightTracker) deferRow(id int64, key string) {
	w.skippedKeys[key], w.rescan = true, true
	if len(w.deferred) < maxDeferred {
		w.deferred[id] = true
	}
}

func inOrder(a, b outbox.Pending) int {
	if a.Sequence != 0 && b.Sequence != 0 {
		return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.ID, b.ID))
	}
	return cmp.Compare(a.ID, b.ID)
}

// acked takes the acknowledgement of a row. next, if any, follows it and is to be published now. ok is false for a row that waits
// for none.
func (w *inFlightTracker) acked(id int64, streamSequence uint64, now time.Time) (done outbox.Published, next *outbox.Pending, ok bool) {
	r := w.rows[id]
	if r == nil || r.isAcked {
		return outbox.Published{}, nil, false
	}
	l := w.queues[r.key]
	if l.current != id {
		return outbox.Published{}, nil, false
	}
	r.isAcked = true
	w.inFlight--
	b := w.breakers.of(r.row.Topic)
	b.inFlight--
	w.recovered(b, now)
	w.unmarked++
	w.bytes -= len(r.row.Payload)
	r.row.Payload, r.row.Encoded = nil, nil
	delete(w.failingKeys, r.key)
	l.current = 0
	if len(l.queue) > 0 {
		p := l.queue[0]
		l.queue = l.queue[1:]
		l.current = p.ID
		w.queued--
		w.inFlight++
		next = &p
		open := b.allows(now)
		b.inFlight++
		if !open { // a pass finds it again
			w.forgetKey(p.ID)
			w.rescan, next = true, nil
		}
	} else if l.overflowed {
		l.overflowed, w.rescan = false, true
	}
	return outbox.Published{ID: id, MessageID: r.row.MessageID, Topic: r.row.Topic, StreamSequence: streamSequence}, next, true
}

// recovered tells a breaker of an acknowledgement, and ends the pauses that the keys of its stream have for its sake.
func (w *inFlightTracker) recovered(b *breaker, now time.Time) {
	if b.refusals == 0 {
		return
	}
	w.rescan = true // more may be taken now
	if !b.succeeded(w.limit, now) {
		return
	}
	for key, f := range w.failingKeys {
		if f.byStream && strings.HasPrefix(key, b.stream) {
			delete(w.failingKeys, key)
		}
	}
}

// failed takes the failure of a row. The row and what follows it are forgotten, so that a key which fails for long costs no memory;
// a pass finds them again after a pause of the key's own.
func (w *inFlightTracker) failed(id int64, now time.Time) { w.backOff(id, false, now) }

// refused takes the failure of a row that is its stream's.
func (w *inFlightTracker) refused(id int64, err error, now time.Time) {
	r := w.rows[id]
	if r == nil || !w.backOff(id, true, now) {
		return
	}
	w.breakers.of(r.row.Topic).failed(err, now)
}

// backOff puts a row back and begins a pause of its key.
func (w *inFlightTracker) backOff(id int64, stream bool, now time.Time) bool {
	r := w.rows[id]
	if r == nil || r.isAcked || w.queues[r.key].current != id {
		return false
	}
	w.forgetKey(id)
	f := w.failingKeys[r.key]
	if f == nil {
		f = &failingKey{}
		w.failingKeys[r.key] = f
	}
	f.failures++
	f.until, f.scanRequested, f.byStream = now.Add(backoff.Exponential(failMin, failMax, f.failures)), false, stream
	return true
}

// forgetKey forgets the row of a key that is being published, and what follows it.
func (w *inFlightTracker) forgetKey(id int64) {
	r := w.rows[id]
	l := w.queues[r.key]
	w.inFlight--
	w.breakers.of(r.row.Topic).inFlight--
	w.remove(id)
	for _, p := range l.queue {
		w.remove(p.ID)
	}
	w.queued -= len(l.queue)
	l.current, l.queue, l.overflowed = 0, nil, false
	l.lastSequence = max(r.row.Sequence-1, 0)
	w.skippedKeys[r.key] = true
}

// stored takes the news that the marks of rows are stored. They are forgotten as soon as no read can show them any more.
func (w *inFlightTracker) stored(ids []int64) {
	w.unmarked -= len(ids)
	w.pendingRemovals = append(w.pendingRemovals, pendingRemoval{reads: w.readsBegun, ids: ids})
	w.removeStored()
}

func (w *inFlightTracker) removeStored() {
	for len(w.pendingRemovals) > 0 && w.pendingRemovals[0].reads <= w.readsDone {
		for _, id := range w.pendingRemovals[0].ids {
			w.remove(id)
		}
		w.pendingRemovals = w.pendingRemovals[1:]
	}
}

func (w *inFlightTracker) remove(id int64) {
	r := w.rows[id]
	if r == nil {
		return
	}
	delete(w.rows, id)
	if !r.isAcked {
		w.bytes -= len(r.row.Payload)
	}
	l := w.queues[r.key]
	l.rows--
	if l.rows == 0 {
		delete(w.queues, r.key)
	}
}

// checkPauses asks for a pass where the pause of a failing key is over.
func (w *inFlightTracker) checkPauses(now time.Time) {
	for _, f := range w.failingKeys {
		if !f.scanRequested && !now.Before(f.until) {
			f.scanRequested, w.rescan = true, true
		}
	}
}

// persistentFailures returns the keys that keep failing, for the next publish session, without those that were not tried recently.
func (w *inFlightTracker) persistentFailures(now time.Time) map[string]*failingKey {
	known := map[string]*failingKey{}
	for key, f := range w.failingKeys {
		if (f.failures > persistentAfter || f.byStream) && now.Sub(f.until) < failMax && len(known) < maxPersistent {
			known[key] = &failingKey{failures: f.failures, until: f.until, byStream: f.byStream}
		}
	}
	return known
}

// failingCount counts the keys that a failure holds.
func (w *inFlightTracker) failingCount() int { return len(w.failingKeys) }

// outstanding counts the rows whose outcome is not known.
func (w *inFlightTracker) outstanding() int { return w.inFlight }
