package relay

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/outbox"
)

// memoryOutbox is an outbox in memory, seen by any number of relays. IDs are drawn before rows become visible, as in a database.
type memoryOutbox struct {
	now     func() time.Time // the database's clock
	latency time.Duration    // of the answer to a read

	mu      sync.Mutex
	lastID  int64
	rows    map[int64]*outboxRow
	holder  string
	epoch   int64
	expires time.Time
	wake    chan struct{}
	reads   int
	read    int // rows, by all of the reads
	purges  int
	marks   map[int64]int // how often each row was marked
	taken   []string      // holders, one after the other
}

type outboxRow struct {
	outbox.Pending

	published time.Time
	sequence  uint64
}

func newMemoryOutbox() *memoryOutbox {
	return &memoryOutbox{now: time.Now, rows: map[int64]*outboxRow{}, wake: make(chan struct{}, 1), marks: map[int64]int{}}
}

// nextID takes the next ID.
func (o *memoryOutbox) nextID() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lastID++
	return o.lastID
}

// commit makes rows visible.
func (o *memoryOutbox) commit(rows ...outbox.Pending) {
	o.mu.Lock()
	for _, p := range rows {
		o.rows[p.ID] = &outboxRow{Pending: p}
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// add draws an ID and commits at once.
func (o *memoryOutbox) add(key string, sequence int64) outbox.Pending {
	p := o.newRow(key, sequence)
	o.commit(p)
	return p
}

func (o *memoryOutbox) newRow(key string, sequence int64) outbox.Pending {
	id := o.nextID()
	name := "m" + strconv.FormatInt(id, 10)
	return outbox.Pending{
		ID: id, MessageID: name, Topic: "events.order.placed.v1", Key: key, Sequence: sequence,
		Encoded: fmt.Appendf(nil, `{%q: %q, %q: %q, %q: "%d"}`,
			envelope.MetaID, name, envelope.MetaPartitionKey, key, envelope.MetaSequence, sequence),
		Payload: []byte(name), CreatedAt: o.now(),
	}
}

// waiting counts the visible rows without a mark.
func (o *memoryOutbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, e := range o.rows {
		if e.sequence == 0 {
			n++
		}
	}
	return n
}

func (o *memoryOutbox) mark(id int64) (sequence uint64, times int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rows[id].sequence, o.marks[id]
}

func (o *memoryOutbox) readsSoFar() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reads
}

func (o *memoryOutbox) Acquire(_ context.Context, holder string, ttl time.Duration) (int64, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now().Before(o.expires) {
		return 0, false, nil
	}
	o.epoch++
	o.holder, o.expires = holder, o.now().Add(ttl)
	o.taken = append(o.taken, holder)
	return o.epoch, true, nil
}

func (o *memoryOutbox) Renew(_ context.Context, epoch int64, ttl time.Duration) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if epoch != o.epoch {
		return outbox.ErrLeaseLost
	}
	o.expires = o.now().Add(ttl)
	return nil
}

func (o *memoryOutbox) Release(_ context.Context, epoch int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if epoch == o.epoch {
		o.expires = time.Time{}
	}
	return nil
}

func (o *memoryOutbox) Pending(_ context.Context, streams []string, after int64, limit int) (rows []outbox.Pending, more bool, err error) {
	if len(streams) > 0 {
		rows = o.page(streams, after, limit)
	}
	<-time.After(o.latency)
	return rows, len(rows) == limit, nil
}

func (o *memoryOutbox) page(streams []string, after int64, limit int) []outbox.Pending {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reads++
	var rows []outbox.Pending
	for id := max(after, 0) + 1; id <= o.lastID && len(rows) < limit; id++ {
		if e := o.rows[id]; e != nil && e.sequence == 0 && slices.Contains(streams, envelope.Prefix(e.Topic)) {
			rows = append(rows, e.Pending)
		}
	}
	o.read += len(rows)
	return rows
}

func (o *memoryOutbox) rowsRead() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.read
}

func (o *memoryOutbox) Mark(_ context.Context, epoch int64, rows []outbox.Published) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if epoch != o.epoch {
		return outbox.ErrLeaseLost
	}
	for _, p := range rows {
		o.rows[p.ID].sequence, o.rows[p.ID].published = p.StreamSequence, o.now()
		o.marks[p.ID]++
	}
	return nil
}

func (o *memoryOutbox) Unmark(_ context.Context, epoch int64, rows []outbox.Published) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if epoch != o.epoch {
		return outbox.ErrLeaseLost
	}
	for _, p := range rows {
		o.rows[p.ID].sequence, o.rows[p.ID].published = 0, time.Time{}
	}
	return nil
}

func (o *memoryOutbox) Tail(_ context.Context, stream string, before uint64, limit int) ([]outbox.Published, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var rows []outbox.Published
	for id, e := range o.rows {
		if e.sequence != 0 && e.sequence < before && envelope.Prefix(e.Topic) == stream {
			rows = append(rows, outbox.Published{ID: id, MessageID: e.MessageID, Topic: e.Topic, StreamSequence: e.sequence})
		}
	}
	slices.SortFunc(rows, func(a, b outbox.Published) int { return cmp.Compare(b.StreamSequence, a.StreamSequence) })
	return rows[:min(limit, len(rows))], nil
}

func (o *memoryOutbox) Purgeable(_ context.Context, age time.Duration, limit int) (over []outbox.Published, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, e := range o.rows {
		if len(over) < limit && e.sequence != 0 && o.now().Sub(e.published) > age {
			over = append(over, outbox.Published{ID: id, MessageID: e.MessageID, Topic: e.Topic, StreamSequence: e.sequence})
		}
	}
	return over, nil
}

func (o *memoryOutbox) Purge(_ context.Context, rows []outbox.Published) (n int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.purges++
	for _, row := range rows {
		if e := o.rows[row.ID]; e != nil && e.sequence != 0 {
			delete(o.rows, row.ID)
			n++
		}
	}
	return n, nil
}

func (o *memoryOutbox) Backlog(context.Context) (outbox.Backlog, error) {
	b := outbox.Backlog{Rows: int64(o.waiting())}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.rows {
		if e.sequence == 0 && (b.Oldest.IsZero() || e.CreatedAt.Before(b.Oldest)) {
			b.Oldest = e.CreatedAt
		}
	}
	return b, nil
}

func (o *memoryOutbox) Wake() <-chan struct{} { return o.wake }

var _ Outbox = (*memoryOutbox)(nil)
