package process

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/config"
)

func TestAddressInUseIsReportedBeforeAnythingIsCreated(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	dir := filepath.Join(t.TempDir(), "data")
	for name, cfg := range map[string]config.Config{
		"MILLRACE_HTTP_ADDR": {HTTPAddr: taken.Addr().String(), DataDir: dir},
		"MILLRACE_OPS_ADDR":  {HTTPAddr: "127.0.0.1:0", OpsAddr: taken.Addr().String(), DataDir: dir},
	} {
		err = Serve(t.Context(), cfg, Options{
			Console: NewConsole(cfg, io.Discard, io.Discard),
			Build: func(context.Context, Platform) (System, error) {
				panic("services are built on an address that is taken")
			}})
		require.ErrorContains(t, err, name+": ")
	}
}

func TestReadableSecretKeyIsWarnedOf(t *testing.T) {
	t.Parallel()
	cfg := config.Config{DataDir: filepath.Join(t.TempDir(), "data")}
	data, err := LockDataDir(cfg.DataDir, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, data.Unlock()) })
	_, err = SecretKey(cfg)
	require.NoError(t, err)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	warnOfOpenFiles(cfg, logger)
	require.Empty(t, log.String(), "a folder that we made is closed")
	require.NoError(t, os.Chmod(filepath.Join(cfg.DataDir, "secret.key"), 0o644)) //nolint:gosec // that is the point
	warnOfOpenFiles(cfg, logger)
	require.Contains(t, log.String(), "chmod 600")
	require.NotContains(t, log.String(), "chmod 700")
	require.NoError(t, os.Chmod(cfg.DataDir, 0o750)) //nolint:gosec // that is the point
	warnOfOpenFiles(cfg, logger)
	require.Contains(t, log.String(), "chmod 700")
}

func TestDamagedSecretKeyIsNotReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret.key"), nil, 0o600))
	_, err := SecretKey(config.Config{DataDir: dir})
	require.ErrorContains(t, err, "is damaged")
	require.NoError(t, os.Remove(filepath.Join(dir, "secret.key")))
	key, err := SecretKey(config.Config{DataDir: dir})
	require.NoError(t, err)
	again, err := SecretKey(config.Config{DataDir: dir})
	require.NoError(t, err)
	require.Equal(t, key, again)
	info, err := os.Stat(filepath.Join(dir, "secret.key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, os.Rename(filepath.Join(dir, "secret.key"), filepath.Join(dir, "moved")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "millrace_user.db"), nil, 0o600))
	_, err = SecretKey(config.Config{DataDir: dir})
	require.ErrorContains(t, err, "put it back", "a lost key is not replaced by one that fits nothing")
}

func TestWeakKeyInTheDataFolderIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret.key"), []byte("change-me-to-32-random-bytes-or-more\n"), 0o600))
	_, err := SecretKey(config.Config{DataDir: dir})
	require.ErrorContains(t, err, "damaged or weak")
}
