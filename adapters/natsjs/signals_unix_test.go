//go:build unix

package natsjs

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A server that listens for signals ends the process in the middle of its drain, and with 0.
func TestEmbeddedServerLeavesSignalsToTheProcess(t *testing.T) {
	e, err := StartEmbedded(EmbeddedConfig{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(e.Shutdown)
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGTERM)
	defer signal.Stop(heard)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
	<-heard
	require.Never(t, func() bool { return !e.running().Running() }, 300*time.Millisecond, 10*time.Millisecond)
}
