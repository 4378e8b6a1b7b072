//go:build unix

package natsjs_test

import (
	"testing"

	"github.com/millrace/millrace/adapters/natsjs/natstest"
)

func pause(t *testing.T, s *natstest.Server) {
	t.Helper()
	s.Pause()
}

func resume(t *testing.T, s *natstest.Server) {
	t.Helper()
	s.Resume()
}
