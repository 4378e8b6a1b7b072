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

// worker does one thing after the other, as fast as it can.
type worker struct {
	step  func(ctx context.Context) error
	close func()
}

// tally is what workers did in the measured time.
type tally struct {
	rate      float64 // per second
	latencies []time.Duration
	cpu       map[string]float64 // milliseconds of a processor for one, by process
}

// warm is how long load runs before it counts.
const warm = 500 * time.Millisecond

// drive lets n workers work, for a moment and then for d, which counts.
func drive(
	ctx context.Context, n int, d time.Duration, watched []*cluster.Process, hire func(ctx context.Context, i int) (*worker, error),
) (tally, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := make([]*worker, n)
	for i := range workers {
		w, err := hire(ctx, i)
		if err != nil {
			return tally{}, err
		}
		defer w.close()
		workers[i] = w
	}
	begin := time.Now().Add(warm)
	end := begin.Add(d)
	latencies, failed := make([][]time.Duration, n), make([]error, n)
	var all sync.WaitGroup
	for i, w := range workers {
		all.Go(func() {
			if latencies[i], failed[i] = w.work(ctx, begin, end); failed[i] != nil {
				cancel() // the others need not go on
			}
		})
	}
	cluster.Sleep(ctx, time.Until(begin))
	before, _ := meter(watched)
	cluster.Sleep(ctx, time.Until(end))
	after, meterErr := meter(watched)
	all.Wait()
	for _, err := range failed {
		if err != nil && !errors.Is(err, context.Canceled) {
			return tally{}, err
		}
	}
	t := tally{cpu: map[string]float64{}}
	for _, l := range latencies {
		t.latencies = append(t.latencies, l...)
	}
	if len(t.latencies) == 0 {
		return t, errors.Join(errors.New("nothing was done"), ctx.Err())
	}
	t.rate = float64(len(t.latencies)) / d.Seconds()
	for name, spent := range after {
		t.cpu["ms "+name] = ms(spent-before[name]) / float64(len(t.latencies))
	}
	return t, meterErr
}

// work gives how long the steps took that ended between begin and end.
func (w *worker) work(ctx context.Context, begin, end time.Time) (latencies []time.Duration, err error) {
	for {
		start := time.Now()
		if start.After(end) {
			return latencies, nil
		}
		if err := w.step(ctx); err != nil {
			return nil, err
		}
		if now := time.Now(); now.After(begin) && now.Before(end) {
			latencies = append(latencies, now.Sub(start))
		}
	}
}

// meter reads how much processor time processes, and this one, have spent.
func meter(watched []*cluster.Process) (map[string]time.Duration, error) {
	spent := map[string]time.Duration{}
	for _, p := range watched {
		d, err := p.CPUTime()
		if err != nil {
			return spent, fmt.Errorf("%s: %w", p.Name, err)
		}
		spent[p.Name] = d
	}
	var own syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &own)
	spent["bench"] = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	return spent, err
}

// orderers hires workers that place orders over HTTP, each on a connection of its own.
func (s *system) orderers(tokens []string) func(ctx context.Context, i int) (*worker, error) {
	address := s.of("order").Address
	return func(ctx context.Context, i int) (*worker, error) {
		c, err := dial(ctx, address)
		if err != nil {
			return nil, err
		}
		request := placing(address, tokens[i%len(tokens)], "")
		return &worker{step: func(context.Context) error { return c.place(request) }, close: c.close}, nil
	}
}
