package natsjs

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// Left to itself the client gives a server up after sixty attempts, some two minutes, and is closed for ever.
func TestReconnectsAreUnlimited(t *testing.T) {
	t.Parallel()
	c, err := Connect(t.Context(), Config{URL: "nats://127.0.0.1:1", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	require.Negative(t, c.nc.Opts.MaxReconnect)
}
