package router

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/backoff"
	"github.com/millrace/millrace/app/fault"
)

func TestPolicyDecidesByFaultKind(t *testing.T) {
	t.Parallel()
	decisions := map[fault.Kind]decision{
		fault.Internal:        tryAgain,
		fault.Malformed:       giveUp,
		fault.Invalid:         giveUp,
		fault.Unauthenticated: giveUp,
		fault.Forbidden:       giveUp,
		fault.NotFound:        tryAgain,
		fault.Conflict:        tryAgain,
		fault.Precondition:    tryAgain,
		fault.TooLarge:        giveUp,
		fault.Exhausted:       tryAgain,
		fault.Unavailable:     pauseConsumers,
		fault.Unknown:         pauseConsumers,
		fault.Early:           redeliver,
		fault.TooSlow:         tryAgain,
	}
	for kind, want := range decisions {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			err := fault.New(kind, "code", "message")
			require.Equal(t, want, decide(err))
			require.Equal(t, want, decide(fmt.Errorf("wrapped: %w", err)))
		})
	}
	require.Len(t, decisions, int(fault.TooSlow)+1, "every kind has a decision")
	require.Equal(t, tryAgain, decide(errors.New("nobody classified it")))
}

func TestConsumerThatNeverPoisonsRetriesPermanentFailures(t *testing.T) {
	t.Parallel()
	invalid := fault.New(fault.Invalid, "invalid", "no")
	may := &consumer{closing: make(chan struct{})}
	never := &consumer{closing: make(chan struct{}), neverPoison: true}
	require.Equal(t, giveUp, may.decide(t.Context(), invalid))
	require.Equal(t, tryAgain, never.decide(t.Context(), invalid))
	require.Equal(t, redeliver, never.decide(t.Context(), fault.New(fault.Early, "early", "")))
}

func TestLateRetriesFollowTheSchedule(t *testing.T) {
	t.Parallel()
	c := Config{}.withDefaults()
	for _, tc := range []struct {
		attempts int
		delay    time.Duration
		more     bool
	}{
		{1, 5 * time.Second, true}, {3, 5 * time.Second, true}, {4, 30 * time.Second, true}, {6, 30 * time.Second, true},
		{9, 2 * time.Minute, true}, {10, 0, false}, {12, 0, false}, {99, 0, false},
	} {
		delay, more := c.lateRetry(tc.attempts)
		require.Equal(t, tc.delay, delay, "after %d attempts", tc.attempts)
		require.Equal(t, tc.more, more, "after %d attempts", tc.attempts)
	}
}

func TestBackoffGrowsToItsLimit(t *testing.T) {
	t.Parallel()
	var delays []time.Duration
	for n := range 9 {
		delays = append(delays, backoff.Exponential(earlyMin, earlyMax, n))
	}
	const ms = time.Millisecond
	require.Equal(t, []time.Duration{100 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms}, delays)
	require.Equal(t, earlyMax, backoff.Exponential(earlyMin, earlyMax, 1_000_000), "never overflows")
}

type tooEarly struct{ missing int64 }

func (tooEarly) Error() string   { return "early" }
func (e tooEarly) Ahead() int64  { return e.missing }
func (e tooEarly) Unwrap() error { return fault.New(fault.Early, "early", "early") }

func TestEarlyEventsOfAKeyAreRedeliveredInOrder(t *testing.T) {
	t.Parallel()
	last := time.Duration(0)
	for missing := range int64(60) { // as many as the step leaves room for
		delay := earlyDelay(tooEarly{missing + 1}, 20)
		require.Greater(t, delay, last)
		last = delay
	}
	require.Equal(t, earlyMax, earlyDelay(tooEarly{1 << 40}, 20), "never overflows")
	require.Equal(t, earlyMin, earlyDelay(fault.New(fault.Early, "early", "early"), 1))
}
