package rest

import (
	"context"
	"encoding/hex"
	"net/netip"
	"sync"
	"time"

	"github.com/millrace/millrace/app/limit"
)

// writesRule is how often a caller may write to one service.
var writesRule = limit.Rule{Burst: 200, Per: 2 * time.Second}

const (
	// ownWrites of a caller pass in a quiet second, and are counted in the database only with those that follow: callers who seldom write
	// cost it nothing. Replicas may let a limit overshoot by that many a second each.
	ownWrites = 4
	// Tokens are drawn from the database in chunks that double from the fewest to the most as they are used up.
	fewestDrawn, mostDrawn = 4, 20
	// drawnFor is how long after a draw its tokens lapse: meanwhile the bucket in the database fills again.
	drawnFor = time.Second
	// drawTimeout bounds a draw. It goes on when its caller leaves, for others who wait for it.
	drawTimeout = 5 * time.Second
)

// writer is who writes: a user, or, where nobody is signed in, an address.
type writer struct {
	user    [16]byte
	address netip.Prefix
}

func writerOf(x *exchange) writer {
	if x.signedIn() {
		return writer{user: x.caller.UserID}
	}
	return writer{address: netOf(x.client)}
}

// name tells a caller from all others.
func (w writer) name() string {
	if w.address.IsValid() {
		return "address " + w.address.String()
	}
	return "user " + hex.EncodeToString(w.user[:])
}

// writes limits how often each caller writes, by tokens that it draws from the database in advance.
type writes struct {
	limits Limits

	mu     sync.Mutex
	shares map[writer]*share
	swept  time.Time
}

// share is what a caller may do without asking the database again.
type share struct {
	since   time.Time // of the first of its own writes, or of the last draw
	owed    int       // writes that the database does not know of yet
	drawn   bool      // the own writes are used up
	tokens  int
	next    int       // how many to draw
	refused time.Time // until when there is no use in asking
	drawing *draw     // nil where none is under way
}

// draw is one that is under way. Who needs tokens meanwhile waits for it.
type draw struct {
	done chan struct{}
	err  error
}

func newWrites(limits Limits) *writes {
	return &writes{limits: limits, shares: map[writer]*share{}}
}

// take lets one write of a caller pass, or says when the next one may.
func (w *writes) take(ctx context.Context, who writer, clock func() time.Time) error {
	for {
		now := clock()
		w.mu.Lock()
		s := w.share(who, now)
		switch {
		case s.pass():
			w.mu.Unlock()
			return nil
		case now.Before(s.refused):
			w.mu.Unlock()
			return errLimited.After(s.refused.Sub(now))
		}
		d := s.drawing
		if d == nil {
			d = &draw{done: make(chan struct{})}
			s.drawing = d
			w.mu.Unlock()
			w.draw(ctx, who, s, d, clock)
		} else {
			w.mu.Unlock()
		}
		select {
		case <-d.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if d.err != nil {
			return d.err
		}
	}
}

// share gives the caller's share, a new one where the last has lapsed. The lock is held.
func (w *writes) share(who writer, now time.Time) *share {
	s, ok := w.shares[who]
	if !ok {
		w.sweep(now)
		s = &share{since: now, next: fewestDrawn}
		w.shares[who] = s
	}
	if s.lapsed(now) {
		*s = share{since: now, next: fewestDrawn}
	}
	return s
}

func (s *share) lapsed(now time.Time) bool {
	return s.drawing == nil && now.Sub(s.since) >= drawnFor && !now.Before(s.refused)
}

// sweep forgets, from time to time, whose shares have lapsed.
func (w *writes) sweep(now time.Time) {
	if now.Sub(w.swept) < drawnFor {
		return
	}
	w.swept = now
	for who, s := range w.shares {
		if s.lapsed(now) {
			delete(w.shares, who)
		}
	}
}

// pass uses what there is.
func (s *share) pass() bool {
	switch {
	case s.tokens > 0:
		s.tokens--
	case !s.drawn && s.owed < ownWrites:
		s.owed++
	default:
		return false
	}
	return true
}

// draw takes tokens out of the database, for what is owed and for what comes.
func (w *writes) draw(ctx context.Context, who writer, s *share, d *draw, clock func() time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drawTimeout)
	defer cancel()
	defer w.drawn(s, d)
	got, wait, err := w.takeSome(ctx, "writes "+who.name(), s.owed+fewestDrawn, s.owed+s.next) // while drawing is set nobody changes these
	if err != nil {
		d.err = err
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.since, s.drawn = clock(), true
	if wait > 0 {
		s.refused = s.since.Add(wait)
		return
	}
	s.tokens, s.owed, s.next = got-s.owed, 0, min(2*s.next, mostDrawn)
}

// drawn ends a draw, even after a panic.
func (w *writes) drawn(s *share, d *draw) {
	w.mu.Lock()
	s.drawing = nil
	w.mu.Unlock()
	close(d.done)
}

// takeSome takes most tokens or, if there are fewer, all there are. If there are fewer than fewest it takes none and gives the time until
// there are so many.
func (w *writes) takeSome(ctx context.Context, bucket string, fewest, most int) (got int, wait time.Duration, err error) {
	wait, err = w.limits.Take(ctx, bucket, writesRule, most)
	if err != nil || wait == 0 {
		return most, 0, err
	}
	each := writesRule.Cost(1)
	there := most - int((wait+each-1)/each)
	if there >= fewest {
		wait, err = w.limits.Take(ctx, bucket, writesRule, there)
		if err != nil || wait == 0 {
			return there, 0, err
		}
		return 0, wait, nil // another replica was faster
	}
	return 0, max(wait-writesRule.Cost(most-fewest), 1), nil
}
