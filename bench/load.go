package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/millrace/millrace/bench/cluster"
)

// worker repeats a step as fast as it can.
type worker struct {
	step  func(ctx context.Context) error
	close func()
}

// loadResult is what the workers did in the measured time.
type loadResult struct {
	rate      float64 // steps per second
	latencies []time.Duration
	cpu       map[string]float64 // CPU milliseconds per step, by process
}

// warmUp is how long workers run before the measurement starts.
const warmUp = 500 * time.Millisecond

// runWorkers runs n workers for warmUp and then for d, and returns what they did in d. It measures the CPU time of processes. The first
// error stops all workers.
func runWorkers(
	ctx context.Context, n int, d time.Duration, processes []*cluster.Process,
	newWorker func(ctx context.Context, i int) (*worker, error),
) (loadResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := make([]*worker, n)
	for i := range workers {
		w, err := newWorker(ctx, i)
		if err != nil {
			return loadResult{}, err
		}
		defer w.close()
		workers[i] = w
	}
	start := time.Now().Add(warmUp)
	end := start.Add(d)
	latencies, errs := make([][]time.Duration, n), make([]error, n)
	var running sync.WaitGroup
	for i, w := range workers {
		running.Go(func() {
			if latencies[i], errs[i] = w.run(ctx, start, end); errs[i] != nil {
				cancel()
			}
		})
	}
	cluster.Sleep(ctx, time.Until(start))
	cpuBefore, _ := cpuTimes(processes)
	cluster.Sleep(ctx, time.Until(end))
	cpuAfter, cpuErr := cpuTimes(processes)
	running.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return loadResult{}, err
		}
	}
	r := loadResult{cpu: map[string]float64{}}
	for _, l := range latencies {
		r.latencies = append(r.latencies, l...)
	}
	if len(r.latencies) == 0 {
		return r, errors.Join(errors.New("no step was completed"), ctx.Err())
	}
	r.rate = float64(len(r.latencies)) / d.Seconds()
	for name, used := range cpuAfter {
		r.cpu["ms "+name] = milliseconds(used-cpuBefore[name]) / float64(len(r.latencies))
	}
	return r, cpuErr
}

// run repeats the step until end. It returns the latencies of the steps that were completed between start and end.
func (w *worker) run(ctx context.Context, start, end time.Time) (latencies []time.Duration, err error) {
	for {
		stepStart := time.Now()
		if stepStart.After(end) {
			return latencies, nil
		}
		if err := w.step(ctx); err != nil {
			return nil, err
		}
		if now := time.Now(); now.After(start) && now.Before(end) {
			latencies = append(latencies, now.Sub(stepStart))
		}
	}
}

// cpuTimes returns the CPU time that each process has used, by name. The name of this program is "bench".
func cpuTimes(processes []*cluster.Process) (map[string]time.Duration, error) {
	times := map[string]time.Duration{}
	for _, p := range processes {
		d, err := p.CPUTime()
		if err != nil {
			return times, fmt.Errorf("%s: %w", p.Name, err)
		}
		times[p.Name] = d
	}
	var own syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &own)
	times["bench"] = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	return times, err
}

// orderWorkers returns a constructor of workers that place orders over HTTP, each on its own connection.
func (s *system) orderWorkers(tokens []string) func(ctx context.Context, i int) (*worker, error) {
	address := s.replicaOf("order").Address
	return func(ctx context.Context, i int) (*worker, error) {
		c, err := dialOrders(ctx, address)
		if err != nil {
			return nil, err
		}
		request := encodeOrderRequest(address, tokens[i%len(tokens)], "")
		return &worker{step: func(context.Context) error { return c.send(request) }, close: c.close}, nil
	}
}
