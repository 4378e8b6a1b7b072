package rest

import (
	"context"
	"encoding/hex"
	"net/netip"
	"sync"
	"time"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/limit"
)

// writesRule is how often a caller may write to one service, and bytesRule how much: 128 KiB a second, and 1 MiB at once. A write weighs as
// much as its body or its answer, whichever is longer: a short request may store a long event.
var (
	writesRule = limit.Rule{Burst: 200, Per: 2 * time.Second}
	bytesRule  = limit.Rule{Burst: 1 << 20, Per: 8 * time.Second}
)

const (
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

// meter limits what each caller does, by tokens that it draws from the database in advance.
type meter struct {
	limits Limits
	name   string
	rule   limit.Rule
	tooFar *fault.Error
	// own is what passes of a caller in a quiet second, and is counted in the database only with what follows: callers who seldom write
	// cost it nothing. Replicas may let a limit overshoot by that much a second each.
	own int
	// Tokens are drawn from the database in chunks that double from the first to the most as they are used up, and none where fewer than
	// the fewest are there.
	fewest, first, most int

	mu     sync.Mutex
	shares map[writer]*share
	swept  time.Time
}

// share is what a caller may do without asking the database again.
type share struct {
	since   time.Time // of the first of its own, or of the last draw
	drawn   bool      // its own is used up
	tokens  int       // below 0: the database does not know of so many yet
	next    int       // how many to draw
	refused time.Time // until when there is no use in asking
	drawing *draw     // nil where none is under way
}

// draw is one that is under way. Who needs tokens meanwhile waits for it.
type draw struct {
	done chan struct{}
	err  error
}

func newWrites(limits Limits) *meter {
	return &meter{
		limits: limits, name: "writes", rule: writesRule, tooFar: errLimited, own: 4, fewest: 4, first: 4, most: 20, shares: map[writer]*share{},
	}
}

func newWeights(limits Limits) *meter {
	return &meter{
		limits: limits, name: "bytes", rule: bytesRule, tooFar: errTooMuch, own: 16 << 10, fewest: 4 << 10, first: 32 << 10, most: 128 << 10,
		shares: map[writer]*share{},
	}
}

// take lets n pass of a caller, or says when they may.
func (m *meter) take(ctx context.Context, who writer, n int, clock func() time.Time) error {
	for {
		now := clock()
		m.mu.Lock()
		s := m.share(who, now)
		switch {
		case m.pass(s, n):
			m.mu.Unlock()
			return nil
		case now.Before(s.refused):
			m.mu.Unlock()
			return m.tooFar.After(s.refused.Sub(now))
		}
		d := s.drawing
		if d == nil {
			d = &draw{done: make(chan struct{})}
			s.drawing = d
			debt := max(0, -s.tokens)
			fewest := min(debt+max(m.fewest, n), m.rule.Burst)
			most := min(max(debt+s.next, fewest), m.rule.Burst)
			m.mu.Unlock()
			m.draw(ctx, who, s, d, fewest, most, clock)
		} else {
			m.mu.Unlock()
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

// owe counts n that a caller has used already. It is refused nothing until the next take.
func (m *meter) owe(who writer, n int, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.share(who, now).tokens -= n
}

// share returns the caller's share, a new one where the last has lapsed. The lock is held.
func (m *meter) share(who writer, now time.Time) *share {
	s, ok := m.shares[who]
	if !ok {
		m.sweep(now)
		s = &share{since: now, next: m.first}
		m.shares[who] = s
	}
	if m.lapsed(s, now) {
		*s = share{since: now, next: m.first}
	}
	return s
}

// lapsed reports whether s is as good as a new share. What a caller owes is forgotten only when the bucket would be full again.
func (m *meter) lapsed(s *share, now time.Time) bool {
	age := now.Sub(s.since)
	indebted := s.tokens < -m.own || s.drawn && s.tokens < 0
	return s.drawing == nil && age >= drawnFor && !now.Before(s.refused) && (!indebted || age >= m.rule.Per)
}

// sweep forgets, from time to time, whose shares have lapsed.
func (m *meter) sweep(now time.Time) {
	if now.Sub(m.swept) < drawnFor {
		return
	}
	m.swept = now
	for who, s := range m.shares {
		if m.lapsed(s, now) {
			delete(m.shares, who)
		}
	}
}

// pass uses what there is.
func (m *meter) pass(s *share, n int) bool {
	there := s.tokens
	if !s.drawn {
		there += m.own
	}
	if there < n {
		return false
	}
	s.tokens -= n
	return true
}

// draw takes tokens out of the database, for what is owed and for what comes.
func (m *meter) draw(ctx context.Context, who writer, s *share, d *draw, fewest, most int, clock func() time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drawTimeout)
	defer cancel()
	defer m.drawn(s, d)
	got, wait, err := m.takeSome(ctx, m.name+" "+who.name(), fewest, most)
	if err != nil {
		d.err = err
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.since, s.drawn = clock(), true
	if wait > 0 {
		s.refused = s.since.Add(wait)
		return
	}
	s.tokens += got
	s.next = min(2*s.next, m.most)
}

// drawn ends a draw, even after a panic.
func (m *meter) drawn(s *share, d *draw) {
	m.mu.Lock()
	s.drawing = nil
	m.mu.Unlock()
	close(d.done)
}

// takeSome takes most tokens or, if there are fewer, all there are. If there are fewer than fewest it takes none and returns the time until
// there are so many.
func (m *meter) takeSome(ctx context.Context, bucket string, fewest, most int) (got int, wait time.Duration, err error) {
	wait, err = m.limits.Take(ctx, bucket, m.rule, most)
	if err != nil || wait == 0 {
		return most, 0, err
	}
	each := m.rule.Cost(1)
	there := most - int((wait+each-1)/each)
	if there >= fewest {
		wait, err = m.limits.Take(ctx, bucket, m.rule, there)
		if err != nil || wait == 0 {
			return there, 0, err
		}
		return 0, wait, nil // another replica was faster
	}
	return 0, max(wait-m.rule.Cost(most-fewest), 1), nil
}
