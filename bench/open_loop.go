package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/millrace/millrace/bench/cluster"
)

// An open loop starts each request when it is due, whether earlier ones have ended or not.
const (
	openLoopRate    = 100 // per second
	openLoopWorkers = 32
)

// openLoopCount returns the number of requests that the open loop makes.
func (h *harness) openLoopCount() int {
	if h.quick {
		return 3 * openLoopRate
	}
	return 30 * openLoopRate
}

// runOpenLoop calls fn n times at openLoopRate, concurrently where calls take long. For each call it returns when it was due, and the
// time from then until it returned.
func runOpenLoop(ctx context.Context, n int, fn func(i int) error) (due []time.Time, durations []time.Duration, err error) {
	due, durations = make([]time.Time, n), make([]time.Duration, n)
	errs := make([]error, n)
	var calls sync.WaitGroup
	start := time.Now().Add(50 * time.Millisecond)
	for i := range n {
		due[i] = start.Add(time.Duration(i) * time.Second / openLoopRate)
		if !cluster.Sleep(ctx, time.Until(due[i])) {
			break
		}
		calls.Go(func() {
			errs[i] = fn(i)
			durations[i] = time.Since(due[i])
		})
	}
	calls.Wait()
	return due, durations, errors.Join(errors.Join(errs...), ctx.Err())
}
