// Package delivery is what a broker adapter and the router tell each other about one delivery of a message: where it came from, and how
// it is to be redelivered.
package delivery

import (
	"context"
	"sync/atomic"
	"time"
)

// Delivery is one delivery of one message to one consumer.
type Delivery struct {
	Consumer       string // name of the durable consumer
	Subject        string // the subject of the message, never a pattern
	StreamSequence uint64 // the sequence of the message in its stream, from 1
	Count          int    // how often the broker has delivered it to this consumer, from 1

	nackDelay      atomic.Int64
	unacknowledged atomic.Bool
}

// SetNackDelay makes the nack that follows request redelivery after d instead of at once.
func (d *Delivery) SetNackDelay(delay time.Duration) { d.nackDelay.Store(int64(delay)) }

// NackDelay returns the delay set by SetNackDelay, or zero.
func (d *Delivery) NackDelay() time.Duration { return time.Duration(d.nackDelay.Load()) }

// LeaveUnacknowledged suppresses the nack that follows: the broker redelivers the message after its ack wait, as after a crash. A
// consumer that is closing does this with messages that it did not finish.
func (d *Delivery) LeaveUnacknowledged() { d.unacknowledged.Store(true) }

// LeftUnacknowledged reports whether LeaveUnacknowledged was called.
func (d *Delivery) LeftUnacknowledged() bool { return d.unacknowledged.Load() }

type key struct{}

// With returns a copy of ctx that carries d. Subscribers put it into the context of each message.
func With(ctx context.Context, d *Delivery) context.Context { return context.WithValue(ctx, key{}, d) }

// From returns the delivery that ctx carries, or the zero Delivery with a Count of 1.
func From(ctx context.Context) *Delivery {
	if d, ok := ctx.Value(key{}).(*Delivery); ok {
		return d
	}
	return &Delivery{Count: 1}
}
