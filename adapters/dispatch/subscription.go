package dispatch

import (
	"context"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/delivery"
)

// OutletConfig says how an outlet treats its deliveries.
type OutletConfig struct {
	// Heartbeat is how often the broker hears that a delivery is still worked on; it must be well below the broker's ack wait.
	Heartbeat time.Duration
	// HandlingLimit ends the heartbeats of a delivery that a handler got so long ago. Zero: they never end.
	HandlingLimit time.Duration
	// Released is called after each delivery that came to its end, so that the broker's reader may ask for more.
	Released func()
	// Now is the clock of HandlingLimit.
	Now func() time.Time
}

// Outlet is one subscription's way to its handlers.
type Outlet struct {
	lanes    *Lanes
	config   OutletConfig
	released func()
	out      chan *message.Message

	ctx       context.Context // of the messages; ends only when what still runs is given up
	abandon   context.CancelFunc
	closing   chan struct{}
	beating   sync.WaitGroup
	stopBeats chan struct{}
	closeOnce sync.Once

	open sync.WaitGroup // items held

	// Guarded by lanes.mu.
	isClosing bool
	held      map[*Item]struct{}
	heldBytes int
	active    int
}

// Open starts an outlet. Messages' contexts carry the values of ctx, but do not end with it.
func (l *Lanes) Open(ctx context.Context, config OutletConfig) *Outlet {
	o := &Outlet{
		lanes:     l,
		config:    config,
		released:  config.Released,
		out:       make(chan *message.Message),
		closing:   make(chan struct{}),
		stopBeats: make(chan struct{}),
		held:      map[*Item]struct{}{},
	}
	if o.released == nil {
		o.released = func() {}
	}
	o.ctx, o.abandon = context.WithCancel(context.WithoutCancel(ctx))
	o.beating.Go(o.beat)
	return o
}

// Messages is where handlers receive. It is closed by Close, once nothing runs any more.
func (o *Outlet) Messages() <-chan *message.Message { return o.out }

// Take lets a delivery in. It never blocks: how many are let in is bounded by what the caller asks the broker for. While the
// outlet is closing, the delivery goes back to the broker at once.
func (o *Outlet) Take(it *Item) {
	it.outlet = o
	if !o.lanes.enter(it) {
		it.answer(giveBack)
	}
}

// Load counts the deliveries at the head of their lanes, and all that are held.
func (o *Outlet) Load() (active, held int) {
	o.lanes.mu.Lock()
	defer o.lanes.mu.Unlock()
	return o.active, len(o.held)
}

// Bytes is the size of all deliveries that are held.
func (o *Outlet) Bytes() int {
	o.lanes.mu.Lock()
	defer o.lanes.mu.Unlock()
	return o.heldBytes
}

// Close returns to the broker what no handler got yet, waits until all others are answered or ctx ends, and closes Messages.
// Only then do the contexts of what still runs end; its answers are ignored and it stays unacknowledged. Nothing may be taken
// from the broker any more when Close is called.
func (o *Outlet) Close(ctx context.Context) {
	o.closeOnce.Do(func() {
		withdrawn := o.lanes.withdraw(o)
		close(o.closing)
		for _, it := range withdrawn {
			it.answer(giveBack)
		}
		answered := make(chan struct{})
		go func() { o.open.Wait(); close(answered) }()
		select {
		case <-answered:
		case <-ctx.Done():
		}
		o.abandon()
		<-answered
		close(o.stopBeats)
		o.beating.Wait()
		close(o.out)
	})
}

// handle gives the head of a lane to a handler and passes its answer on.
func (o *Outlet) handle(it *Item) {
	select {
	case <-o.closing: // both ways below may be open, and a closing outlet hands out nothing
		it.answer(giveBack)
		return
	default:
	}
	it.Message.SetContext(delivery.With(o.ctx, it.Delivery))
	select {
	case o.out <- it.Message:
		it.handed.Store(o.config.Now().UnixNano())
	case <-o.closing:
		it.answer(giveBack)
		return
	}
	select {
	case <-it.Message.Acked():
		it.answer(Receipt.Ack)
	case <-it.Message.Nacked():
		it.answer(func(r Receipt) {
			if !it.Delivery.Left() {
				r.Nak(it.Delivery.Delay())
			}
		})
	case <-o.ctx.Done():
	}
}

// beat sends heartbeats for everything held, from receipt on, also for what waits in its lane.
func (o *Outlet) beat() {
	ticker := time.NewTicker(o.config.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, it := range o.alive() {
				it.progress()
			}
		case <-o.stopBeats:
			return
		}
	}
}

// alive gives the items held whose handler is within its limit.
func (o *Outlet) alive() []*Item {
	now := o.config.Now().UnixNano()
	o.lanes.mu.Lock()
	defer o.lanes.mu.Unlock()
	items := make([]*Item, 0, len(o.held))
	for it := range o.held {
		handed, limit := it.handed.Load(), int64(o.config.HandlingLimit)
		if handed == 0 || limit == 0 || now-handed < limit {
			items = append(items, it)
		}
	}
	return items
}
