package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/bench/cluster"
)

// rest is how long the process is left alone before its memory is looked at.
const rest = 5 * time.Second

// measureMemory looks at how much the all-in-one process has in memory, idle and behind more and more orders, all of which went through
// the broker into the history.
func measureMemory(ctx context.Context, l *lab) error {
	l.say("memory: %d orders", l.rows)
	s, err := l.startWhole(ctx)
	if err != nil {
		return err
	}
	return errors.Join(s.weigh(ctx), s.stop())
}

func (s *system) weigh(ctx context.Context) error {
	process := s.of("order")
	placed, idle := 0, 0.0
	for _, quarter := range []int{0, 1, 2, 4} {
		if err := s.placeMany(ctx, quarter*s.lab.rows/4-placed); err != nil {
			return err
		}
		placed = quarter * s.lab.rows / 4
		if _, err := s.settle(ctx); err != nil && placed > 0 {
			return err
		}
		if !cluster.Sleep(ctx, rest) {
			return ctx.Err()
		}
		resident, peak, err := process.Memory()
		if err != nil {
			return err
		}
		f := figure{
			Section: "memory", What: fmt.Sprintf("resident size of all in one behind %d orders", placed),
			Value: float64(resident) / (1 << 20), Unit: "MiB", Notes: map[string]float64{"peak MiB": float64(peak) / (1 << 20)},
		}
		if placed == 0 {
			idle = f.Value
		} else {
			f = f.besides("idle", idle)
		}
		s.lab.add(f)
	}
	return nil
}

// placeMany places n orders on 16 connections.
func (s *system) placeMany(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	tokens, err := s.customers(ctx, 1)
	if err != nil {
		return err
	}
	address := s.of("order").Address
	request := placing(address, tokens[0], "")
	var (
		left   atomic.Int64
		all    sync.WaitGroup
		failed = make([]error, 16)
	)
	left.Store(int64(n))
	for i := range failed {
		all.Go(func() {
			c, err := dial(ctx, address)
			if err != nil {
				failed[i] = err
				return
			}
			defer c.close()
			for left.Add(-1) >= 0 && failed[i] == nil && ctx.Err() == nil {
				failed[i] = c.place(request)
			}
		})
	}
	all.Wait()
	return errors.Join(errors.Join(failed...), ctx.Err())
}
