//go:build unix

package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/internal/timingtest"

	"github.com/millrace/millrace/adapters/natsjs/natstest"
)

// A broker that stands still is no failure of a process that ends: whoever runs it would look for one.
func TestDrainSucceedsWhileTheBrokerHangs(t *testing.T) {
	t.Parallel()
	broker := natstest.Start(t)
	n := start(t, "--data-dir="+t.TempDir(), "--broker-url="+broker.URL())
	n.ready().types(n.admin(), "", 1) // its consumers work
	broker.Pause()
	defer broker.Resume()
	began := time.Now()
	require.Zero(t, n.shut(), n.errs.String())
	timingtest.Within(t, began, longestDrain, "the drain")
	require.Contains(t, n.errs.String(), "consumers did not stop in time")
}
