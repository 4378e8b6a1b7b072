package argon

import (
	"context"
	"crypto/rand"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOnlySoManyHashAtOnce(t *testing.T) {
	t.Parallel()
	h := New(2, rand.Reader)
	require.True(t, h.budget.TryAcquire(memory), "as the first of two")
	_, err := h.Hash(t.Context(), "password")
	require.NoError(t, err, "there is a second turn")

	require.True(t, h.budget.TryAcquire(memory), "as the second of two")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = h.Hash(ctx, "password")
	require.ErrorIs(t, err, context.DeadlineExceeded, "there is no third")

	h.budget.Release(memory)
	_, err = h.Hash(t.Context(), "password")
	require.NoError(t, err)
}

func TestNobodyWaitsForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := New(1, rand.Reader)
		require.True(t, h.budget.TryAcquire(memory))
		start := time.Now()
		_, err := h.Hash(t.Context(), "password")
		require.ErrorIs(t, err, ErrBusy)
		require.Equal(t, maxWait, time.Since(start))
	})
}

func TestAHashThatNeedsMoreThanThereIsTakesItAll(t *testing.T) {
	t.Parallel()
	h := New(1, rand.Reader)
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	fits, err := h.Verify(t.Context(), hash, "password")
	require.NoError(t, err)
	require.True(t, fits)
}
