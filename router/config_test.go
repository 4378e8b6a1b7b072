package router

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNewRefusesTimesThatDoNotFit(t *testing.T) {
	t.Parallel()
	good := Config{Service: "order", Probe: func(context.Context) error { return nil }}
	_, err := New(good)
	require.NoError(t, err)

	for name, tc := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"attempts longer than the limit":  {func(c *Config) { c.AttemptTimeout = 20 * time.Second }, "a delivery may last less than 1m0s"},
		"limit shorter than the attempts": {func(c *Config) { c.HandlingLimit = 30 * time.Second }, "a delivery may last less than 30s"},
		"schedule longer than the gap":    {func(c *Config) { c.GapTimeout = time.Minute }, "wait for less than 1m0s"},
		"late retry at once":              {func(c *Config) { c.Late = []time.Duration{0} }, "a late retry after 0s"},
		"negative attempts":               {func(c *Config) { c.Attempts = -1 }, "must be positive"},
		"no service":                      {func(c *Config) { c.Service = "" }, "no name"},
		"no probe":                        {func(c *Config) { c.Probe = nil }, "would never end"},
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

func TestNewReportsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	_, err := New(Config{HandlingLimit: time.Second})
	require.ErrorContains(t, err, "no name")
	require.ErrorContains(t, err, "would never end")
	require.ErrorContains(t, err, "a delivery may last less than 1s")
}
