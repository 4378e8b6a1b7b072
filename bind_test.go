package main

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTakenAddressIsHeardOfBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	dir := filepath.Join(t.TempDir(), "data")
	for name, change := range map[string]func(*settings){
		"MILLRACE_HTTP_ADDR": func(s *settings) { s.HTTPAddr = taken.Addr().String() },
		"MILLRACE_OPS_ADDR":  func(s *settings) { s.HTTPAddr, s.OpsAddr = "127.0.0.1:0", taken.Addr().String() },
	} {
		s := usual()
		s.DataDir = dir
		change(&s)
		cfg, err := s.parse()
		require.NoError(t, err)
		err = serve(t.Context(), cfg, newConsole(cfg, io.Discard, io.Discard), nil)
		require.ErrorContains(t, err, name+": ")
		held, err := filepath.Glob(filepath.Join(dir, "*.db"))
		require.NoError(t, err)
		require.Empty(t, held)
	}
}

func TestSecretKeyThatOthersCanReadIsWorthAWarning(t *testing.T) {
	t.Parallel()
	cfg := config{DataDir: t.TempDir()}
	_, err := secretKey(cfg)
	require.NoError(t, err)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	warnOfReaders(cfg, logger)
	require.Empty(t, log.String())
	require.NoError(t, os.Chmod(filepath.Join(cfg.DataDir, "secret.key"), 0o644)) //nolint:gosec // that is the point
	warnOfReaders(cfg, logger)
	require.Contains(t, log.String(), "chmod 600")
}

func TestSecretKeyThatIsDamagedIsNotReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret.key"), nil, 0o600))
	_, err := secretKey(config{DataDir: dir})
	require.ErrorContains(t, err, "is damaged")
	require.NoError(t, os.Remove(filepath.Join(dir, "secret.key")))
	key, err := secretKey(config{DataDir: dir})
	require.NoError(t, err)
	again, err := secretKey(config{DataDir: dir})
	require.NoError(t, err)
	require.Equal(t, key, again)
	info, err := os.Stat(filepath.Join(dir, "secret.key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, os.Rename(filepath.Join(dir, "secret.key"), filepath.Join(dir, "moved")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "millrace_user.db"), nil, 0o600))
	_, err = secretKey(config{DataDir: dir})
	require.ErrorContains(t, err, "put it back", "a lost key is not replaced by one that fits nothing")
}
