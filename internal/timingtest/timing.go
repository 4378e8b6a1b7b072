// Package timingtest keeps assertions about measured times out of the default tests, where a slow or busy machine would fail them. They
// are made by `make test-timing`, which runs on its own.
package timingtest

import (
	"os"
	"testing"
	"time"
)

// Measured reports whether this run is for measuring times: MILLRACE_TEST_TIMING is set.
func Measured() bool { return os.Getenv("MILLRACE_TEST_TIMING") != "" }

// Only skips a test that does nothing but measure, in every other run.
func Only(t testing.TB) {
	t.Helper()
	if !Measured() {
		t.Skip("measures times: make test-timing")
	}
}

// Within fails the test if more than limit has passed since began, in a run that measures times.
func Within(t testing.TB, began time.Time, limit time.Duration, what string) {
	t.Helper()
	if took := time.Since(began); Measured() && took > limit {
		t.Errorf("%s: took %s, more than %s", what, took, limit)
	}
}
