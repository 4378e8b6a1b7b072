//go:build !unix

package natsjs_test

import (
	"testing"

	"github.com/millrace/millrace/adapters/natsjs/natstest"
)

func pause(t *testing.T, _ *natstest.Server) {
	t.Helper()
	t.Skip("processes cannot be paused here")
}

func resume(*testing.T, *natstest.Server) {}
