package rest

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/millrace/millrace/app/fault"
)

// Bounds of reads in one service of one process.
const (
	// readsOpen is how many reads of a caller are open at once, until their answers were taken. Half of them may be in the service's hands;
	// so one caller does not take all of what the others need.
	readsOpen    = 16
	readsWorking = readsOpen / 2
	// readsQueued of a caller may wait for the others to end, each for readPatience. A client that asks in bursts needs no retry.
	readsQueued  = 64
	readPatience = 2 * time.Second
	// readsServed is how many reads of all callers are in the service's hands at once: more than there are connections to read with.
	readsServed = 16
)

var (
	errReads = fault.New(fault.Exhausted, "too_many_reads",
		"Too many requests of yours are open. Read the answers to some, or wait as long as Retry-After says.").After(time.Second)
	errReadsBusy = fault.New(fault.Unavailable, "reads_busy", "Too many requests are being answered at this moment; try again shortly.")
)

// slots are taken by what may happen at once so often.
type slots chan struct{}

// take waits for a slot until patience ends, and reports whether there was one.
func (s slots) take(ctx context.Context, patience <-chan time.Time) (bool, error) {
	select {
	case s <- struct{}{}:
		return true, nil
	default:
	}
	select {
	case s <- struct{}{}:
		return true, nil
	case <-patience:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (s slots) free() { <-s }

// reads bounds how many reads a service answers at once, for each caller and for all. It is kept in the memory of the process: each replica
// bounds its own.
type reads struct {
	perCaller bool
	served    slots

	mu      sync.Mutex
	callers map[[16]byte]*reader
}

// reader is a caller whose reads are open.
type reader struct {
	waiting int // for their turn, or open
	open    slots
	working slots
}

func newReads(perCaller bool) *reads {
	return &reads{perCaller: perCaller, served: make(slots, readsServed), callers: map[[16]byte]*reader{}}
}

// bound is the step before an operation that reads. The slots of the service are free again when the operation has returned, those of the
// caller when the answer was taken.
func (r *reads) bound(ctx huma.Context, next func(huma.Context)) {
	request, w := humachi.Unwrap(ctx)
	x := exchangeFrom(ctx.Context())
	timer := time.NewTimer(readPatience)
	defer timer.Stop()
	var worked func()
	if r.perCaller {
		caller, err := r.enter(x.caller.UserID)
		if err == nil {
			x.done = func() { r.leave(x.caller.UserID, caller) }
			err = caller.take(request.Context(), timer.C)
		}
		if err != nil {
			WriteProblem(w, request, err)
			return
		}
		x.done = func() { caller.open.free(); r.leave(x.caller.UserID, caller) }
		worked = caller.working.free
	}
	r.serve(ctx, next, timer.C, worked)
}

// serve runs the operation when the service has a slot for it. worked is called when it has returned; nil calls nothing.
func (r *reads) serve(ctx huma.Context, next func(huma.Context), patience <-chan time.Time, worked func()) {
	if worked != nil {
		defer worked()
	}
	request, w := humachi.Unwrap(ctx)
	ok, err := r.served.take(request.Context(), patience)
	if !ok {
		if err == nil {
			err = errReadsBusy
		}
		WriteProblem(w, request, err)
		return
	}
	defer r.served.free()
	next(ctx)
}

// enter counts one more read of a caller, or refuses it.
func (r *reads) enter(user [16]byte) (*reader, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	caller := r.callers[user]
	if caller == nil {
		caller = &reader{open: make(slots, readsOpen), working: make(slots, readsWorking)}
		r.callers[user] = caller
	}
	if caller.waiting == readsOpen+readsQueued {
		return nil, errReads
	}
	caller.waiting++
	return caller, nil
}

// leave forgets a caller with its last read.
func (r *reads) leave(user [16]byte, caller *reader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if caller.waiting--; caller.waiting == 0 {
		delete(r.callers, user)
	}
}

// take waits for a slot of both kinds.
func (c *reader) take(ctx context.Context, patience <-chan time.Time) error {
	for _, kind := range []slots{c.open, c.working} {
		ok, err := kind.take(ctx, patience)
		if ok {
			continue
		}
		if kind == c.working {
			c.open.free()
		}
		if err != nil {
			return err
		}
		return errReads
	}
	return nil
}

// bounded returns the step that bounds op, nil if it is not bounded, and documents it. What anybody may read without signing in is small.
func (g guards) bounded(op *huma.Operation) func(huma.Context, func(huma.Context)) {
	_, signedIn := op.Metadata[metaRoles]
	if op.Method != http.MethodGet || !signedIn {
		return nil
	}
	op.Errors = append(op.Errors, http.StatusTooManyRequests)
	if g.reads == nil {
		return nil
	}
	return g.reads.bound
}
