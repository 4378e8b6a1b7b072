package router

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNewRejectsInconsistentTimes(t *testing.T) {
	t.Parallel()
	good := Config{Service: "order", Probe: func(context.Context) error { return nil }}
	_, err := New(good)
	require.NoError(t, err)

	for name, tc := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"attempts longer than the limit":  {func(c *Config) { c.AttemptTimeout = 20 * time.Second }, "not below Config.HandlingLimit, 1m0s"},
		"limit shorter than the attempts": {func(c *Config) { c.HandlingLimit = 30 * time.Second }, "not below Config.HandlingLimit, 30s"},
		"schedule longer than the gap":    {func(c *Config) { c.GapTimeout = time.Minute }, "not below Config.GapTimeout, 1m0s"},
		"late retry at once":              {func(c *Config) { c.LateRetries = []time.Duration{0} }, "Config.LateRetries has 0s"},
		"negative attempts":               {func(c *Config) { c.Attempts = -1 }, "must be positive"},
		"no service":                      {func(c *Config) { c.Service = "" }, "Config.Service is empty"},
		"no probe":                        {func(c *Config) { c.Probe = nil }, "Config.Probe is nil"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			tc.change(&cfg)
			_, err := New(cfg)
			require.ErrorContains(t, err, tc.says)
		})
	}
}

func TestNewReportsAllErrorsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := New(Config{HandlingLimit: time.Second})
	require.ErrorContains(t, err, "Config.Service is empty")
	require.ErrorContains(t, err, "Config.Probe is nil")
	require.ErrorContains(t, err, "not below Config.HandlingLimit, 1s")
}
