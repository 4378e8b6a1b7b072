// Package dispatch passes the deliveries of a broker to handlers. It keeps a queue per key: deliveries of one key run one after the other,
// those of different keys concurrently. All broker adapters share it, so that they make the same promises.
package dispatch

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/delivery"
)

// Acknowledger reports the outcome of one delivery to the broker. A report that gets lost is harmless: the broker delivers the message
// again, as after a crash.
type Acknowledger interface {
	Ack()
	// Nak requests redelivery of the message after the delay.
	Nak(delay time.Duration)
	// Progress restarts the broker's ack wait, because the delivery is still being handled.
	Progress()
}

// Item is one delivery in the queue of its key.
type Item struct {
	Key          string
	Message      *message.Message
	Delivery     *delivery.Delivery
	Acknowledger Acknowledger
	Size         int // in bytes, for Subscription.HeldBytes

	subscription *Subscription
	handedAt     atomic.Int64 // when a handler received it, in nanoseconds of the subscription's clock; 0 while it is queued

	mu        sync.Mutex
	isSettled bool
}

// settle reports the outcome with send and ends the heartbeats: on JetStream, one that followed a Nak would cancel its delay.
func (it *Item) settle(send func(Acknowledger)) {
	it.mu.Lock()
	defer it.mu.Unlock()
	it.isSettled = true
	send(it.Acknowledger)
}

// heartbeat reports progress unless the item is settled.
func (it *Item) heartbeat() {
	it.mu.Lock()
	defer it.mu.Unlock()
	if !it.isSettled {
		it.Acknowledger.Progress()
	}
}

// nackNow requests immediate redelivery of an item that no handler received.
func nackNow(a Acknowledger) { a.Nak(0) }

// Dispatcher holds the queues. Subscriptions that share a Dispatcher never handle two messages of one key at the same time. It is safe
// for concurrent use.
type Dispatcher struct {
	mu     sync.Mutex
	queues map[string][]*Item // by key, without the item that is being handled; the key is present as long as there is one
}

// New returns a Dispatcher without queues.
func New() *Dispatcher { return &Dispatcher{queues: map[string][]*Item{}} }

// enqueue starts to handle an item, or queues it if one of its key is being handled. It reports false if the subscription is closing.
func (d *Dispatcher) enqueue(it *Item) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := it.subscription
	if s.isClosing {
		return false
	}
	s.held[it] = struct{}{}
	s.heldBytes += it.Size
	s.pending.Add(1)
	queue, busy := d.queues[it.Key]
	if busy {
		d.queues[it.Key] = append(queue, it)
		return true
	}
	d.queues[it.Key] = nil
	s.active++
	go d.runQueue(it)
	return true
}

// runQueue handles an item and those that are queued after it.
func (d *Dispatcher) runQueue(it *Item) {
	for it != nil {
		it.subscription.handle(it)
		it = d.next(it)
	}
}

// next removes an item that was handled and returns the next one of its key, or nil if there is none.
func (d *Dispatcher) next(it *Item) *Item {
	d.mu.Lock()
	it.subscription.active--
	d.remove(it)
	var head *Item
	if queue := d.queues[it.Key]; len(queue) == 0 {
		delete(d.queues, it.Key)
	} else {
		head, d.queues[it.Key] = queue[0], queue[1:]
		head.subscription.active++
	}
	d.mu.Unlock()
	it.subscription.onDone()
	return head
}

// remove takes an item out of the counts of its subscription. The caller holds the lock.
func (d *Dispatcher) remove(it *Item) {
	delete(it.subscription.held, it)
	it.subscription.heldBytes -= it.Size
	it.subscription.pending.Done()
}

// removeQueued marks a subscription as closing and removes and returns its queued items.
func (d *Dispatcher) removeQueued(s *Subscription) []*Item {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.isClosing = true
	var removed []*Item
	for key, queue := range d.queues {
		var others []*Item
		for _, it := range queue {
			if it.subscription != s {
				others = append(others, it)
				continue
			}
			removed = append(removed, it)
			d.remove(it)
		}
		d.queues[key] = others
	}
	return removed
}
