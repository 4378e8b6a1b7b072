// Package idempotency makes a request take effect once, however often it is sent: its answer is kept in the transaction of its effect,
// so that neither exists without the other.
package idempotency

import (
	"time"

	"github.com/millrace/millrace/app/fault"
)

// KeptFor is how long an answer is kept. A request that comes again later is a new one.
const KeptFor = 24 * time.Hour

// ErrReused refuses a key that came with another body before.
var ErrReused = fault.New(fault.Invalid, "idempotency_key_reused",
	"This Idempotency-Key came with another body before. Give each request a key of its own.")

// Key tells a request from all others. Both are hashes under a secret key.
type Key struct {
	ID          [32]byte // of the caller, the route and the caller's own key
	Fingerprint [32]byte // of the body
}

// Answer is what the caller was told.
type Answer struct {
	Status   int
	Location string
	ETag     string
	Body     []byte
}

// Redaction takes out of kept answers what must not be kept any longer, for example the note of an order that is deleted.
type Redaction struct {
	Location string                                       // the answers are those that name it
	Body     func(kept []byte) (redacted []byte, _ error) // nil: they stay
}

// Once goes with a command that makes a T, so that it does so once. With the zero value it does so each time.
type Once[T any] struct {
	Key    Key
	Answer func(made T) (Answer, error) // nil where the request has no key
}

// Record is an answer to be kept.
type Record struct {
	Key    Key
	Owner  [16]byte // the user whose data the answer holds: it is deleted with the account
	Answer Answer
	At     time.Time
}

// Record gives what is to be kept of the request that makes made, nil where it has no key.
func (o Once[T]) Record(made T, owner [16]byte, at time.Time) (*Record, error) {
	if o.Answer == nil {
		return nil, nil
	}
	answer, err := o.Answer(made)
	if err != nil {
		return nil, err
	}
	return &Record{Key: o.Key, Owner: owner, Answer: answer, At: at}, nil
}

// Replay is the error that stands for the answer of a request that was answered before: nothing happens again.
type Replay struct{ Answer Answer }

// Error implements error.
func (*Replay) Error() string { return "the request was answered before" }
