package relay

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/outbox"
	"github.com/millrace/millrace/router/backoff"
)

// Bounds of what a window keeps in memory.
const (
	maxFollowers = 256      // rows of one key behind the one that is being published
	maxBytes     = 64 << 20 // payloads
	maxDeferred  = 8192     // rows that wait to be seen a second time
	backlogRate  = 8        // rows that follow others, and acknowledged rows without a mark, each in multiples of the window
)

// Pauses of a key whose row failed. A row that the broker refuses for good fails for ever; one that failed for a reason of the moment is
// published within the first few of them.
const (
	failMin = 100 * time.Millisecond
	failMax = 2 * time.Minute
)

// The next stretch is told of the keys that failed more than lasting times, up to maxLasting of them: where more fail, the fault is not
// theirs.
const (
	lasting    = 4
	maxLasting = 1000
)

// window is the relay's account of the rows it works on: which may be published now, and which not yet or not again. It does
// nothing itself and belongs to one goroutine.
//
// Rows are found by passes over the outbox. A pass begins at the lowest ID and reads page after page, each of which sees what is
// committed when it is read. Since IDs become visible in another order than they grow, a page behind the first may show a row whose
// predecessor, with an ID that the pass has left behind, became visible in between. Such a row is taken only if nothing can
// precede it, if it follows the last one taken of its key, or if the pass before had seen it: then its predecessor was visible
// before this pass began.
type window struct {
	limit int // the most rows without an acknowledgement

	rows     map[int64]*windowRow // what must not be taken again
	lanes    map[string]*lane
	failing  map[string]*failing
	breakers breakers
	inFlight int
	queued   int // rows that follow one in flight
	unmarked int // acknowledged rows whose mark is not stored
	bytes    int

	passed         map[string]bool // keys that this pass left something out of, and must take nothing more of
	omitted        map[string]bool // streams that this pass left something out of
	seen, seenLast map[int64]bool  // rows deferred in this pass, in the one before
	again          bool            // another pass would find something to take

	readsBegun, readsDone int
	retired               []retirement
}

type windowRow struct {
	row   outbox.Pending // without its payload once it was acknowledged
	lane  string
	acked bool
}

// lane holds the rows of one key that the window knows.
type lane struct {
	current int64            // the row without an acknowledgement; 0: none
	queue   []outbox.Pending // what follows it, in order
	last    int64            // the highest sequence taken
	known   int              // rows of the key in window.rows
	skipped bool             // the queue was full: a pass has to find the rest
}

// failing is a key whose row failed, until one of its rows is acknowledged.
type failing struct {
	failures int
	until    time.Time
	asked    bool // a pass for it was asked for
	stream   bool // the stream refused its row, which may have been any: the pause ends when the stream takes messages again
}

// retirement is a batch of marked rows that a read which began before the mark may still show.
type retirement struct {
	reads int
	ids   []int64
}

func newWindow(limit int, known map[string]*failing) *window {
	return &window{
		limit: limit, rows: map[int64]*windowRow{}, lanes: map[string]*lane{}, failing: known,
		breakers: newBreakers(slog.New(slog.DiscardHandler)),
		passed:   map[string]bool{}, omitted: map[string]bool{}, seen: map[int64]bool{}, seenLast: map[int64]bool{},
	}
}

// laneOf is the lane that p must keep to. Keys of different streams have nothing to do with each other, and rows without a key
// nothing with any other.
func laneOf(p outbox.Pending) string {
	stream := envelope.Prefix(p.Topic)
	if p.Key == "" {
		return stream + "#" + p.MessageID
	}
	return stream + "/" + p.Key
}

// startPass begins a pass over the outbox from its lowest ID. Streams that take nothing for now are left out of it.
func (w *window) startPass(now time.Time) {
	clear(w.passed)
	clear(w.omitted)
	for stream, b := range w.breakers {
		if !b.allows(now) {
			w.omitted[stream] = true
		}
	}
	w.seen, w.seenLast = w.seenLast, w.seen
	clear(w.seen)
	w.again = false
}

// streams returns those whose rows the pass may still take. One that was left out stays so: of its keys the pass would miss the first rows.
func (w *window) streams() (open []string) {
	for _, stream := range envelope.Prefixes() {
		if !w.omitted[stream] {
			open = append(open, stream)
		}
	}
	return open
}

// passIsLong reports that the pass has deferred so many rows that another should begin.
func (w *window) passIsLong() bool { return len(w.seen) >= maxDeferred }

// beginRead and endRead enclose the reading of a page and the taking of its rows.
func (w *window) beginRead() { w.readsBegun++ }

func (w *window) endRead() {
	w.readsDone++
	w.forget()
}

// full reports that nothing more is to be taken for now. What fills it goes away by itself: rows that only wait for the end of a
// read do not count, because that read may wait for room.
func (w *window) full() bool {
	return w.inFlight >= w.limit || w.bytes >= maxBytes || w.queued >= backlogRate*w.limit || w.unmarked >= backlogRate*w.limit
}

// take looks at a row that a pass found. It is true where the row is to be published now, and false where the row is known, follows
// later, or is left for another pass. first says that the row is on the pass's first page.
func (w *window) take(p outbox.Pending, first bool, now time.Time) bool {
	key := laneOf(p)
	if w.rows[p.ID] != nil || w.passed[key] || w.omitted[envelope.Prefix(p.Topic)] {
		return false
	}
	if f := w.failing[key]; f != nil && now.Before(f.until) {
		w.passed[key] = true
		return false
	}
	b := w.breakers.of(p.Topic)
	if !b.allows(now) {
		w.omitted[b.stream] = true
		return false
	}
	l := w.lanes[key]
	if !first && !w.trusted(l, p) {
		w.deferRow(p.ID, key)
		return false
	}
	if l == nil {
		l = &lane{}
		w.lanes[key] = l
	}
	if l.current != 0 && len(l.queue) >= maxFollowers {
		w.passed[key], l.skipped = true, true
		return false
	}
	w.rows[p.ID] = &windowRow{row: p, lane: key}
	w.bytes += len(p.Payload)
	l.known++
	l.last = max(l.last, p.Sequence)
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

func (w *window) trusted(l *lane, p outbox.Pending) bool {
	return p.Sequence <= 1 || w.seenLast[p.ID] || l != nil && l.last != 0 && l.last == p.Sequence-1
}

func (w *window) deferRow(id int64, key string) {
	w.passed[key], w.again = true, true
	if len(w.seen) < maxDeferred {
		w.seen[id] = true
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
func (w *window) acked(id int64, streamSequence uint64, now time.Time) (done outbox.Published, next *outbox.Pending, ok bool) {
	r := w.rows[id]
	if r == nil || r.acked {
		return outbox.Published{}, nil, false
	}
	l := w.lanes[r.lane]
	if l.current != id {
		return outbox.Published{}, nil, false
	}
	r.acked = true
	w.inFlight--
	b := w.breakers.of(r.row.Topic)
	b.inFlight--
	w.recovered(b, now)
	w.unmarked++
	w.bytes -= len(r.row.Payload)
	r.row.Payload, r.row.Encoded = nil, nil
	delete(w.failing, r.lane)
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
			w.putBack(p.ID)
			w.again, next = true, nil
		}
	} else if l.skipped {
		l.skipped, w.again = false, true
	}
	return outbox.Published{ID: id, MessageID: r.row.MessageID, Topic: r.row.Topic, StreamSequence: streamSequence}, next, true
}

// recovered tells a breaker of an acknowledgement, and ends the pauses that the keys of its stream have for its sake.
func (w *window) recovered(b *breaker, now time.Time) {
	if b.refusals == 0 {
		return
	}
	w.again = true // more may be taken now
	if !b.acked(w.limit, now) {
		return
	}
	for key, f := range w.failing {
		if f.stream && strings.HasPrefix(key, b.stream) {
			delete(w.failing, key)
		}
	}
}

// failed takes the failure of a row. The row and what follows it are forgotten, so that a key which fails for long costs no memory;
// a pass finds them again after a pause of the key's own.
func (w *window) failed(id int64, now time.Time) { w.hold(id, false, now) }

// refused takes the failure of a row that is its stream's.
func (w *window) refused(id int64, err error, now time.Time) {
	r := w.rows[id]
	if r == nil || !w.hold(id, true, now) {
		return
	}
	w.breakers.of(r.row.Topic).refused(err, now)
}

// hold puts a row back and begins a pause of its key.
func (w *window) hold(id int64, stream bool, now time.Time) bool {
	r := w.rows[id]
	if r == nil || r.acked || w.lanes[r.lane].current != id {
		return false
	}
	w.putBack(id)
	f := w.failing[r.lane]
	if f == nil {
		f = &failing{}
		w.failing[r.lane] = f
	}
	f.failures++
	f.until, f.asked, f.stream = now.Add(backoff.Exponential(failMin, failMax, f.failures)), false, stream
	return true
}

// putBack forgets the row of a key that is being published, and what follows it.
func (w *window) putBack(id int64) {
	r := w.rows[id]
	l := w.lanes[r.lane]
	w.inFlight--
	w.breakers.of(r.row.Topic).inFlight--
	w.drop(id)
	for _, p := range l.queue {
		w.drop(p.ID)
	}
	w.queued -= len(l.queue)
	l.current, l.queue, l.skipped = 0, nil, false
	l.last = max(r.row.Sequence-1, 0)
	w.passed[r.lane] = true
}

// marked takes the news that the marks of rows are stored. They are forgotten as soon as no read can show them any more.
func (w *window) marked(ids []int64) {
	w.unmarked -= len(ids)
	w.retired = append(w.retired, retirement{reads: w.readsBegun, ids: ids})
	w.forget()
}

func (w *window) forget() {
	for len(w.retired) > 0 && w.retired[0].reads <= w.readsDone {
		for _, id := range w.retired[0].ids {
			w.drop(id)
		}
		w.retired = w.retired[1:]
	}
}

func (w *window) drop(id int64) {
	r := w.rows[id]
	if r == nil {
		return
	}
	delete(w.rows, id)
	if !r.acked {
		w.bytes -= len(r.row.Payload)
	}
	l := w.lanes[r.lane]
	l.known--
	if l.known == 0 {
		delete(w.lanes, r.lane)
	}
}

// retryDue asks for a pass where the pause of a failing key is over.
func (w *window) retryDue(now time.Time) {
	for _, f := range w.failing {
		if !f.asked && !now.Before(f.until) {
			f.asked, w.again = true, true
		}
	}
}

// failingOn gives the keys that keep failing, for the window of the next stretch, without those that were not tried for a while.
func (w *window) failingOn(now time.Time) map[string]*failing {
	known := map[string]*failing{}
	for key, f := range w.failing {
		if (f.failures > lasting || f.stream) && now.Sub(f.until) < failMax && len(known) < maxLasting {
			known[key] = &failing{failures: f.failures, until: f.until, stream: f.stream}
		}
	}
	return known
}

// held counts the keys that a failure holds.
func (w *window) held() int { return len(w.failing) }

// outstanding counts the rows whose outcome is not known.
func (w *window) outstanding() int { return w.inFlight }
