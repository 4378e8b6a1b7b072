// Package fault gives errors a kind. A failure is classified where it is born; each edge (HTTP, a message consumer)
// translates the kind once and never looks into the text.
package fault

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Kind says what a failure means to whoever hears of it.
type Kind int

const (
	// Internal is everything that nobody classified: a bug, or a failure that the caller cannot do anything about.
	Internal Kind = iota
	// Malformed is input that could not be read at all.
	Malformed
	// Invalid is input that was read and broke a rule.
	Invalid
	// Unauthenticated is a caller who did not prove who they are.
	Unauthenticated
	// Forbidden is a known caller without the right.
	Forbidden
	// NotFound is a thing that is not there, or not for this caller.
	NotFound
	// Conflict is a change that does not fit the state of the thing.
	Conflict
	// Precondition is a change made against a version that is no longer the current one.
	Precondition
	// TooLarge is input over the size limit.
	TooLarge
	// Exhausted is a caller over a rate limit.
	Exhausted
	// Unavailable is our own database or broker being away: nothing happened, and it will work again.
	Unavailable
	// Unknown is a commit whose answer was lost: it may have happened or not.
	Unknown
	// Early is an event ahead of its predecessor: it is put back and is no failure.
	Early
	// TooSlow is a query that was ended by its time limit: nothing happened, and the same one would most likely end so again.
	TooSlow
)

var kindNames = [...]string{
	"internal", "malformed", "invalid", "unauthenticated", "forbidden", "not_found", "conflict", "precondition", "too_large",
	"exhausted", "unavailable", "unknown", "early", "too_slow",
}

// String gives the kind's name in snake_case.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "internal"
	}
	return kindNames[k]
}

// Field is one rule that the input broke. Message never repeats the value.
type Field struct {
	Location string // where: "body.items[0].quantity", "query.limit"
	Message  string
}

// Error is a classified failure. Message is meant for the caller; what caused it is for the log alone.
type Error struct {
	Kind    Kind
	Code    string // snake_case, stable: part of the API
	Message string
	Fields  []Field
	// RetryAfter is when it makes sense to try again; 0 where that cannot be said.
	RetryAfter time.Duration

	cause error
}

// New makes a failure of a kind, with the code that clients may rely on and the sentence that people read.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// NewInvalid makes a failure of kind Invalid about named fields.
func NewInvalid(fields ...Field) *Error {
	return &Error{Kind: Invalid, Code: "invalid", Message: "The request has invalid values.", Fields: fields}
}

// Because returns a copy of e that keeps cause for the log and for errors.Is.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// After returns a copy of e that says when it makes sense to try again.
func (e *Error) After(wait time.Duration) *Error {
	c := *e
	c.RetryAfter = wait
	return &c
}

// Error gives the message and, behind it, the cause.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Message
	}
	return strings.TrimSuffix(e.Message, ".") + ": " + e.cause.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is holds two failures for the same when kind and code agree, so that a sentinel matches its copies.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Code == e.Code
}

// KindOf gives the kind of the outermost classified failure in err's chain, Internal where there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Cancelled reports whether err comes from a context that ended.
func Cancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
