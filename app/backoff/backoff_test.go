package backoff_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/backoff"
)

func TestPausesDoubleUpToTheLongest(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{0: 1, 1: 1, 2: 2, 3: 4, 4: 8, 5: 10, 1_000_000: 10} {
		require.Equal(t, want*time.Second, backoff.Exponential(time.Second, 10*time.Second, n), n)
	}
}

func TestJitterStaysWithinHalfOfThePause(t *testing.T) {
	t.Parallel()
	for range 1000 {
		d := backoff.Jitter(time.Second)
		require.GreaterOrEqual(t, d, 500*time.Millisecond)
		require.Less(t, d, 1500*time.Millisecond)
	}
	require.Zero(t, backoff.Jitter(0))
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	require.False(t, backoff.Wait(ctx, nil, time.Hour))
	require.True(t, backoff.Wait(t.Context(), nil, time.Nanosecond))
}

func TestPermanentErrorsAreRecognisedWhenWrapped(t *testing.T) {
	t.Parallel()
	cause := errors.New("wrong key")
	err := fmt.Errorf("open: %w", backoff.Permanent(cause))
	require.True(t, backoff.IsPermanent(err))
	require.ErrorIs(t, err, cause)
	require.False(t, backoff.IsPermanent(cause))
	require.NoError(t, backoff.Permanent(nil))
}
