package argon

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace/millrace/app/limit"

	"github.com/stretchr/testify/require"
)

var (
	known1 = limit.Origin{Network: "198.51.100.7/32", Known: true}
	other  = limit.Origin{Network: "203.0.113.9/32"}
)

// fromSite is the n-th /64 of one /48.
func fromSite(n int) limit.Origin {
	return limit.Origin{Network: fmt.Sprintf("2001:db8:1:%x::/64", n)}
}

// busy takes all the memory of q.
func busy(t *testing.T, q *queue) (done func()) {
	t.Helper()
	done, err := q.acquire(t.Context(), other, q.limit)
	require.NoError(t, err)
	return done
}

// served collects the order in which attempts get their turn.
type served struct {
	mu    sync.Mutex
	names []string
	all   sync.WaitGroup
}

// attempt waits for a turn in q, is noted, and gives it on.
func (s *served) attempt(ctx context.Context, q *queue, name string, o limit.Origin) {
	s.all.Go(func() {
		done, err := q.acquire(ctx, o, memory)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			name += " refused"
		}
		s.names = append(s.names, name)
		if err == nil {
			done()
		}
	})
}

func (s *served) place(name string) int { return slices.Index(s.names, name) }

func TestOnlySoManyHashAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := New(2, rand.Reader)
		first, err := h.queue.acquire(t.Context(), other, memory)
		require.NoError(t, err)
		_, err = h.Hash(t.Context(), other, "password")
		require.NoError(t, err, "there is a second turn")

		second, err := h.queue.acquire(t.Context(), other, memory)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err = h.Hash(ctx, other, "password")
		require.ErrorIs(t, err, context.DeadlineExceeded, "there is no third")

		second()
		_, err = h.Hash(t.Context(), other, "password")
		require.NoError(t, err)
		first()
		require.Equal(t, h.queue.limit, h.queue.free)
	})
}

func TestNobodyWaitsForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := New(1, rand.Reader)
		done := busy(t, h.queue)
		start := time.Now()
		_, err := h.Hash(t.Context(), other, "password")
		require.ErrorIs(t, err, ErrBusy)
		require.Equal(t, maxWait, time.Since(start))
		done()
	})
}

// A flood from one /48, of which each attempt has an address of its own, waits; what comes behind it from elsewhere does not.
func TestFloodFromOneSiteDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1)
		q.pace = 30 * time.Millisecond
		done := busy(t, q)
		var s served
		for i := range 600 {
			s.attempt(t.Context(), q, "flood", fromSite(i))
		}
		synctest.Wait()
		require.GreaterOrEqual(t, len(s.names), 600-siteMost, "most of it is refused at once")
		for _, name := range s.names {
			require.Equal(t, "flood refused", name)
		}
		refused := len(s.names)
		require.ErrorIs(t, q.room(fromSite(600)), ErrBusy)
		require.NoError(t, q.room(known1))
		require.NoError(t, q.room(other))

		s.attempt(t.Context(), q, "known", known1)
		synctest.Wait()
		s.attempt(t.Context(), q, "other", other)
		synctest.Wait()
		require.Len(t, s.names, refused, "neither is refused")
		done()
		s.all.Wait()
		require.LessOrEqual(t, s.place("known")-refused, 1, "at most one turn of others comes before")
		require.LessOrEqual(t, s.place("other")-refused, 4, "sites take turns")
		require.Equal(t, q.limit, q.free)
	})
}

func TestKnownOriginsKeepHalfOfTheTurnsFairly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1)
		q.pace = time.Millisecond
		done := busy(t, q)
		var s served
		for i := range 100 { // an attacker may have accounts, and many sites
			flood := fromSite(i)
			flood.Known = true
			s.attempt(t.Context(), q, "flood with accounts", flood)
			s.attempt(t.Context(), q, "flood", limit.Origin{Network: fmt.Sprintf("2001:db8:%x::/64", i+2)})
		}
		synctest.Wait()
		s.attempt(t.Context(), q, "known", known1)
		synctest.Wait()
		done()
		s.all.Wait()
		require.LessOrEqual(t, s.place("known"), 4)
		require.Len(t, s.names, 201)
	})
}

func TestAddressesOfOneSiteTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1)
		done := busy(t, q)
		var s served
		for range 30 {
			s.attempt(t.Context(), q, "one", limit.Origin{Network: "192.0.2.1/32"})
		}
		synctest.Wait()
		s.attempt(t.Context(), q, "two", limit.Origin{Network: "192.0.2.2/32"})
		synctest.Wait()
		done()
		s.all.Wait()
		require.LessOrEqual(t, s.place("two"), 1)
	})
}

// Many sites together fill the queue; then the newest attempt of the one with the most gives way.
func TestFullQueueTakesFromWhoHasMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1)
		q.pace = time.Microsecond
		done := busy(t, q)
		var s served
		for site := range classMost / siteMost {
			for i := range siteMost {
				s.attempt(t.Context(), q, fmt.Sprint("site ", site), limit.Origin{Network: fmt.Sprintf("2001:db8:%x:%x::/64", site+2, i)})
			}
		}
		synctest.Wait()
		require.Empty(t, s.names)
		s.attempt(t.Context(), q, "other", other)
		synctest.Wait()
		require.Len(t, s.names, 1)
		require.Contains(t, s.names[0], "refused")
		require.NotContains(t, s.names[0], "other")
		require.Equal(t, classMost, q.waiting[unknown].count)
		done()
		s.all.Wait()
		require.NotEqual(t, -1, s.place("other"))
		require.Equal(t, q.limit, q.free)
	})
}

func TestWhoGoesAwayLeavesTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1)
		done := busy(t, q)
		ctx, cancel := context.WithCancel(t.Context())
		var gone, stay served
		for i := range 20 {
			gone.attempt(ctx, q, "gone", fromSite(i))
		}
		synctest.Wait()
		stay.attempt(t.Context(), q, "stay", fromSite(3))
		synctest.Wait()
		cancel()
		gone.all.Wait()
		require.Equal(t, 1, q.waiting[unknown].count)
		done()
		stay.all.Wait()
		require.Equal(t, []string{"stay"}, stay.names)
		require.Zero(t, q.waiting[unknown].count)
		require.Empty(t, q.waiting[unknown].lines)
		require.Empty(t, q.waiting[unknown].turns)
		require.Equal(t, q.limit, q.free)
	})
}

func TestLongWaitIsRefusedAtOnceWithItsTime(t *testing.T) {
	t.Parallel()
	q := newQueue(2)
	q.pace = time.Second
	done := busy(t, q)
	defer done()
	for i := range 8 { // 4 s, two at a time
		q.waiting[unknown].push(path(fromSite(i)), &waiter{share: memory, turn: make(chan error, 1)})
	}
	_, err := q.acquire(t.Context(), fromSite(9), memory)
	require.ErrorIs(t, err, ErrBusy)
	require.NoError(t, q.room(known1))
}

func TestSites(t *testing.T) {
	t.Parallel()
	for network, site := range map[string]string{
		"192.0.2.77/32": "192.0.2.0/24", "2001:db8:1:2::/64": "2001:db8:1::/48", "invalid Prefix": "invalid Prefix", "": "",
	} {
		require.Equal(t, site, path(limit.Origin{Network: network})[0])
	}
}

func TestAHashThatNeedsMoreThanThereIsTakesItAll(t *testing.T) {
	t.Parallel()
	h := New(1, rand.Reader)
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	fits, err := h.Verify(t.Context(), other, hash, "password")
	require.NoError(t, err)
	require.True(t, fits)
}
