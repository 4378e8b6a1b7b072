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

// idleTime is how long the process is idle before its memory is measured.
const idleTime = 5 * time.Second

// measureMemory measures the resident memory of one process that runs all services: when it has started, and after increasing numbers of
// orders, whose events are all in the history.
func measureMemory(ctx context.Context, h *harness) error {
	h.progress("memory: %d orders", h.rows)
	s, err := h.startSingleProcess(ctx)
	if err != nil {
		return err
	}
	return errors.Join(s.measureResidentMemory(ctx), s.stop())
}

func (s *system) measureResidentMemory(ctx context.Context) error {
	process := s.replicaOf("order")
	placed, initial := 0, 0.0
	for _, quarter := range []int{0, 1, 2, 4} {
		if err := s.placeOrders(ctx, quarter*s.harness.rows/4-placed); err != nil {
			return err
		}
		placed = quarter * s.harness.rows / 4
		if _, err := s.awaitIdle(ctx); err != nil && placed > 0 {
			return err
		}
		if !cluster.Sleep(ctx, idleTime) {
			return ctx.Err()
		}
		resident, peak, err := process.Memory()
		if err != nil {
			return err
		}
		r := result{
			Section: "memory", Name: fmt.Sprintf("resident memory of one process with all services after %d orders", placed),
			Value: float64(resident) / (1 << 20), Unit: "MiB", Notes: map[string]float64{"peak MiB": float64(peak) / (1 << 20)},
		}
		if placed == 0 {
			initial = r.Value
		} else {
			r = r.withBaseline("after 0 orders", initial)
		}
		s.harness.add(r)
	}
	return nil
}

// placeOrders places n orders on 16 connections.
func (s *system) placeOrders(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	tokens, err := s.createUsers(ctx, 1)
	if err != nil {
		return err
	}
	address := s.replicaOf("order").Address
	request := encodeOrderRequest(address, tokens[0], "")
	var (
		remaining atomic.Int64
		clients   sync.WaitGroup
		errs      = make([]error, 16)
	)
	remaining.Store(int64(n))
	for i := range errs {
		clients.Go(func() {
			c, err := dialOrders(ctx, address)
			if err != nil {
				errs[i] = err
				return
			}
			defer c.close()
			for remaining.Add(-1) >= 0 && errs[i] == nil && ctx.Err() == nil {
				errs[i] = c.send(request)
			}
		})
	}
	clients.Wait()
	return errors.Join(errors.Join(errs...), ctx.Err())
}
