// Package delivery is what a broker adapter and the router tell each other about one delivery of a message, beyond the
// message itself: where it came from, and when it should come back.
package delivery

import (
	"context"
	"sync/atomic"
	"time"
)

// Delivery is one delivery of one message to one consumer.
type Delivery struct {
	Consumer       string // the durable consumer's name
	Subject        string // the concrete subject, never a pattern
	StreamSequence uint64 // the message's place in its stream, from 1
	Count          int    // how often the broker has delivered it to this consumer, from 1

	delay atomic.Int64
	left  atomic.Bool
}

// PutBack asks that the nack which follows brings the message back after d instead of at once.
func (d *Delivery) PutBack(after time.Duration) { d.delay.Store(int64(after)) }

// Delay is what PutBack asked for, zero for "at once".
func (d *Delivery) Delay() time.Duration { return time.Duration(d.delay.Load()) }

// Leave asks that the nack which follows is not sent: the message stays unacknowledged and comes back by itself, as after a
// crash. That is how a consumer that is being closed lets go of what it did not finish.
func (d *Delivery) Leave() { d.left.Store(true) }

// Left reports whether Leave was called.
func (d *Delivery) Left() bool { return d.left.Load() }

type key struct{}

// With returns a ctx that carries d; a subscriber puts it into each message's context.
func With(ctx context.Context, d *Delivery) context.Context { return context.WithValue(ctx, key{}, d) }

// From gives the delivery that ctx carries, an empty one where it carries none.
func From(ctx context.Context) *Delivery {
	if d, ok := ctx.Value(key{}).(*Delivery); ok {
		return d
	}
	return &Delivery{Count: 1}
}
