package jwks_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/app/fault"
)

func TestReadinessOfRemoteKeys(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s := serve(t, f)
	s.away.Store(true)
	remote := jwks.NewRemote(s.URL, s.Client(), f.clock.now)
	require.Equal(t, fault.Unavailable, fault.KindOf(remote.Ready(t.Context())))
	require.NoError(t, remote.Fresh(t.Context()), "there is nothing that could be old")
	require.Eventually(t, func() bool {
		err := remote.Ready(t.Context())
		return err != nil && strings.Contains(errors.Unwrap(err).Error(), "502")
	}, waitFor, tick, "and says why")

	s.away.Store(false)
	f.clock.pass(3 * time.Second)
	require.Eventually(t, func() bool { return remote.Ready(t.Context()) == nil }, waitFor, tick)
	require.NoError(t, remote.Fresh(t.Context()))

	s.away.Store(true)
	f.clock.pass(4 * time.Minute)
	require.NoError(t, remote.Fresh(t.Context()))
	f.clock.pass(2 * time.Minute)
	require.Eventually(t, func() bool { return fault.KindOf(remote.Fresh(t.Context())) == fault.Unavailable }, waitFor, tick,
		"they are old, and cannot be renewed")
	require.NoError(t, remote.Ready(t.Context()), "and stay good")
	_, err := jwks.NewVerifier(remote, f.clock.now).Verify(t.Context(), f.issue(t))
	require.NoError(t, err)

	s.away.Store(false)
	f.clock.pass(3 * time.Second)
	require.Eventually(t, func() bool { return remote.Fresh(t.Context()) == nil }, waitFor, tick)
}

// lines takes a log line by line.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func TestKeysAreFetchedBeforeAnybodyAsksAndKeptFresh(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s := serve(t, f)
	s.away.Store(true)
	ctx, stop := context.WithCancel(t.Context())
	remote := jwks.NewRemote(s.URL, s.Client(), func() time.Time { return time.Now().Add(f.clock.now().Sub(newClock().now())) })
	log, ended := make(lines, 2), make(chan error, 1)
	go func() { ended <- remote.Run(ctx, slog.New(slog.NewTextHandler(log, nil))) }()
	require.Contains(t, <-log, "cannot be fetched")
	s.away.Store(false)
	require.Contains(t, <-log, "were fetched")
	require.NoError(t, remote.Ready(t.Context()))

	fetched := s.fetched.Load()
	f.clock.pass(time.Hour)
	require.Eventually(t, func() bool { return s.fetched.Load() > fetched }, waitFor, tick,
		"a withdrawn key is forgotten though no token comes")
	stop()
	require.NoError(t, <-ended)
}
