package natsjs

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Left to itself the server writes acknowledged messages to the disk after two minutes.
func TestEmbeddedServerSyncsEverySecond(t *testing.T) {
	t.Parallel()
	e, err := StartEmbedded(EmbeddedConfig{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(e.Shutdown)
	require.LessOrEqual(t, e.running().JetStreamConfig().SyncInterval, time.Second)
}
