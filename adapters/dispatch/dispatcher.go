// Package dispatch hands deliveries to handlers: those of one key one after the other, those of different keys at once. It is what
// every broker adapter's subscriber has in common, so that all of them keep the same promises.
package dispatch

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/delivery"
)

// Receipt tells the broker what became of a delivery. An answer that does not arrive there is no failure: the broker delivers
// again, as it does after a crash.
type Receipt interface {
	Ack()
	// Nak asks for the message again, after the delay.
	Nak(delay time.Duration)
	// Progress says that the delivery is still worked on, so that the broker does not deliver again.
	Progress()
}

// Item is one delivery on its way to a handler.
type Item struct {
	Key      string
	Message  *message.Message
	Delivery *delivery.Delivery
	Receipt  Receipt
	Size     int // in bytes, where whoever asks for more wants to know how much is held

	outlet *Outlet
	handed atomic.Int64 // when a handler got it, in nanoseconds of the outlet's clock; 0 while it waits

	mu         sync.Mutex
	isAnswered bool
}

// answer gives the broker its answer, after which no heartbeat follows: one that came after a Nak would undo its delay.
func (it *Item) answer(send func(Receipt)) {
	it.mu.Lock()
	defer it.mu.Unlock()
	it.isAnswered = true
	send(it.Receipt)
}

// progress sends a heartbeat.
func (it *Item) progress() {
	it.mu.Lock()
	defer it.mu.Unlock()
	if !it.isAnswered {
		it.Receipt.Progress()
	}
}

// giveBack puts an item back at once that no handler got.
func giveBack(r Receipt) { r.Nak(0) }

// Lanes are the keys that are being worked on. Outlets that share Lanes never work on one key at the same time.
type Lanes struct {
	mu      sync.Mutex
	waiting map[string][]*Item // a key is present as long as an item of it is being handled
}

// New makes empty lanes.
func New() *Lanes { return &Lanes{waiting: map[string][]*Item{}} }

// enter makes it the head of its lane and starts the lane, or lets it wait there. It is false where its outlet is closing.
func (l *Lanes) enter(it *Item) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := it.outlet
	if o.isClosing {
		return false
	}
	o.held[it] = struct{}{}
	o.heldBytes += it.Size
	o.open.Add(1)
	queue, busy := l.waiting[it.Key]
	if busy {
		l.waiting[it.Key] = append(queue, it)
		return true
	}
	l.waiting[it.Key] = nil
	o.active++
	go l.run(it)
	return true
}

// run works a lane off, from its head to its last item.
func (l *Lanes) run(it *Item) {
	for it != nil {
		it.outlet.handle(it)
		it = l.next(it)
	}
}

// next lets it go and gives the item behind it, nil where the lane is empty and therefore over.
func (l *Lanes) next(it *Item) *Item {
	l.mu.Lock()
	it.outlet.active--
	l.release(it)
	var head *Item
	if queue := l.waiting[it.Key]; len(queue) == 0 {
		delete(l.waiting, it.Key)
	} else {
		head, l.waiting[it.Key] = queue[0], queue[1:]
		head.outlet.active++
	}
	l.mu.Unlock()
	it.outlet.released()
	return head
}

// release forgets it. The lock is held.
func (l *Lanes) release(it *Item) {
	delete(it.outlet.held, it)
	it.outlet.heldBytes -= it.Size
	it.outlet.open.Done()
}

// withdraw takes the waiting items of an outlet out of their lanes and lets no further one in.
func (l *Lanes) withdraw(o *Outlet) []*Item {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.isClosing = true
	var out []*Item
	for key, queue := range l.waiting {
		var left []*Item
		for _, it := range queue {
			if it.outlet != o {
				left = append(left, it)
				continue
			}
			out = append(out, it)
			l.release(it)
		}
		l.waiting[key] = left
	}
	return out
}
