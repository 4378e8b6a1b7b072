package jwks_test

import (
	"context"
	"log/slog"
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

	s.away.Store(false)
	f.clock.pass(3 * time.Second)
	require.NoError(t, remote.Ready(t.Context()))
	require.NoError(t, remote.Fresh(t.Context()))

	s.away.Store(true)
	f.clock.pass(4 * time.Minute)
	require.NoError(t, remote.Fresh(t.Context()))
	f.clock.pass(2 * time.Minute)
	require.Equal(t, fault.Unavailable, fault.KindOf(remote.Fresh(t.Context())), "they are old, and cannot be renewed")
	require.NoError(t, remote.Ready(t.Context()), "and stay good")
	_, err := jwks.NewVerifier(remote, f.clock.now).Verify(t.Context(), f.issue(t))
	require.NoError(t, err)

	s.away.Store(false)
	f.clock.pass(3 * time.Second)
	require.NoError(t, remote.Fresh(t.Context()))
}

// lines takes a log line by line.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func TestFirstKeysAreFetchedBeforeAnybodyAsks(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s := serve(t, f)
	s.away.Store(true)
	remote := jwks.NewRemote(s.URL, s.Client(), time.Now)
	log, ended := make(lines, 2), make(chan error, 1)
	go func() { ended <- remote.Run(t.Context(), slog.New(slog.NewTextHandler(log, nil))) }()
	require.Contains(t, <-log, "cannot be fetched")
	s.away.Store(false)
	require.NoError(t, <-ended)
	require.Contains(t, <-log, "were fetched")
	require.NoError(t, remote.Ready(t.Context()))

	s.away.Store(true)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	require.NoError(t, jwks.NewRemote(s.URL, s.Client(), time.Now).Run(stopped, slog.New(slog.DiscardHandler)))
}
