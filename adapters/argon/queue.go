package argon

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/millrace/millrace/app/limit"
)

// Limits of the queue. Memory is bounded by the numbers, waiting by the times.
const (
	siteMost  = 128             // attempts of one site that wait
	classMost = 512             // attempts of one class that wait
	patience  = 4 * time.Second // who would wait for longer is refused at once
	maxWait   = 8 * time.Second // if the estimate was wrong
)

// The two classes of origins.
const (
	unknown = iota
	known
	classes
)

// queue hands out memory for hashing, fairly. Half of the turns, if they are wanted, are kept for origins that signed in before; in each
// half sites take turns, a site being what one customer of a provider commonly has (a /48 of IPv6, a /24 of IPv4); within a site its
// addresses take turns. So a flood from one site delays another site's attempt by as many turns as there are sites, not as there are
// attempts.
type queue struct {
	mu      sync.Mutex
	free    int64 // KiB that are not in use
	limit   int64
	slots   int64         // hashes at once
	waiting [classes]line // of the sites
	last    int           // the class that was served last
	pace    time.Duration // how long a hash takes, averaged
	now     func() time.Time
}

func newQueue(atOnce int) *queue {
	slots := int64(max(atOnce, 1))
	return &queue{free: slots * memory, limit: slots * memory, slots: slots, pace: 50 * time.Millisecond, now: time.Now}
}

// waiter is an attempt that waits for its memory.
type waiter struct {
	share int64
	path  []string
	class int
	turn  chan error // nil: it has its memory; the queue never waits to send
}

// room fails with ErrBusy where an attempt from o would be refused now.
func (q *queue) room(o limit.Origin) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.idle() {
		return nil
	}
	return q.refusal(classOf(o), path(o))
}

// acquire waits for share KiB of memory. done returns it. The error is ErrBusy, or ctx's if ctx ended first.
func (q *queue) acquire(ctx context.Context, o limit.Origin, share int64) (done func(), err error) {
	w := &waiter{share: min(share, q.limit), path: path(o), class: classOf(o), turn: make(chan error, 1)}
	if err := q.enter(w); err != nil {
		return nil, err
	}
	expired := time.NewTimer(maxWait)
	defer expired.Stop()
	select {
	case err = <-w.turn:
	case <-ctx.Done():
		err = q.leave(w, ctx.Err())
	case <-expired.C:
		err = q.leave(w, ErrBusy.After(patience))
	}
	if err != nil {
		return nil, err
	}
	began := q.now()
	return func() { q.release(w.share, q.now().Sub(began)) }, nil
}

// enter queues w, or grants its memory at once. Where the class is full, the newest attempt of the site with the most gives way.
func (q *queue) enter(w *waiter) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	class := &q.waiting[w.class]
	if !q.idle() {
		if err := q.refusal(w.class, w.path); err != nil {
			return err
		}
	}
	if class.count >= classMost {
		class.dropNewest().turn <- ErrBusy.After(patience)
	}
	class.push(w.path, w)
	q.serve()
	return nil
}

// idle reports whether nobody waits and there is memory for a hash of our own.
func (q *queue) idle() bool {
	return q.waiting[known].count+q.waiting[unknown].count == 0 && q.free >= memory
}

// refusal is why an attempt must not wait: its site has enough that do, or its turn would come too late.
func (q *queue) refusal(class int, path []string) error {
	all := &q.waiting[class]
	mine := all.countOf(path[0])
	if mine >= siteMost || all.count >= classMost && mine >= all.longest().count {
		return ErrBusy.After(patience)
	}
	sites := len(all.turns)
	if mine == 0 {
		sites++
	}
	turns := min((mine+1)*sites, all.count+1)
	if other := q.waiting[classes-1-class].count; other > 0 {
		turns += min(turns, other)
	}
	if wait := time.Duration(turns) * q.pace / time.Duration(q.slots); wait > patience {
		return ErrBusy.After(wait)
	}
	return nil
}

// leave takes w, which waits no longer, out of the queue. Where it has got its memory or its refusal meanwhile, that stands.
func (q *queue) leave(w *waiter, why error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.waiting[w.class].remove(w.path, w) {
		return <-w.turn
	}
	q.serve() // it may have held others up that need less
	return why
}

func (q *queue) release(share int64, took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free += share
	q.pace += (took - q.pace) / 8
	q.serve()
}

// serve grants memory to the next waiters while enough is free.
func (q *queue) serve() {
	for {
		class := q.next()
		if class < 0 || q.waiting[class].first().share > q.free {
			return
		}
		w := q.waiting[class].pop()
		q.free -= w.share
		q.last = class
		w.turn <- nil
	}
}

// next is the class whose turn it is, below zero where nobody waits.
func (q *queue) next() int {
	for _, class := range []int{classes - 1 - q.last, q.last} {
		if q.waiting[class].count > 0 {
			return class
		}
	}
	return -1
}

func classOf(o limit.Origin) int {
	if o.Known {
		return known
	}
	return unknown
}

// Sizes of what counts as one site.
const (
	site4 = 24
	site6 = 48
)

// path is the site of an origin, and the origin in it.
func path(o limit.Origin) []string {
	network, err := netip.ParsePrefix(o.Network)
	if err != nil {
		return []string{o.Network, ""}
	}
	size := site6
	if network.Addr().Is4() {
		size = site4
	}
	site, err := network.Addr().Prefix(min(size, network.Bits()))
	if err != nil {
		return []string{o.Network, ""}
	}
	return []string{site.String(), o.Network}
}
