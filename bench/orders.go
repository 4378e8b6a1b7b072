package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// connectionCounts are the numbers of concurrent clients that are measured.
var connectionCounts = []int{1, 16, 64}

// measureOrders measures the rate of orders over HTTP. The baseline is the raw rate of the database: the same two INSERTs in one
// transaction, on the same number of connections. Result and baseline are measured alternately.
func measureOrders(ctx context.Context, h *harness) error {
	for _, setup := range []struct {
		name      string
		start     func() (*system, error)
		hasTarget bool
	}{
		{"order service and its relay", func() (*system, error) { return h.startSplit(ctx, "user", "order") }, true},
		{"three services", func() (*system, error) { return h.startSplit(ctx, "user", "order", "event") }, false},
		{"one process on SQLite", func() (*system, error) { return h.startSingleProcess(ctx) }, false},
	} {
		h.progress("orders: %s", setup.name)
		s, err := setup.start()
		if err != nil {
			return err
		}
		if err := errors.Join(s.compareOrders(ctx, setup.name, setup.hasTarget), s.stop()); err != nil {
			return fmt.Errorf("%s: %w", setup.name, err)
		}
	}
	return nil
}

// compareOrders measures one setup with each number of connections.
func (s *system) compareOrders(ctx context.Context, setup string, hasTarget bool) error {
	tokens, err := s.createUsers(ctx, 8)
	if err != nil {
		return err
	}
	if _, err := runWorkers(ctx, 1, warmUp, nil, s.orderWorkers(tokens)); err != nil { // stores the sample rows of the raw baseline
		return err
	}
	if _, err := s.awaitIdle(ctx); err != nil {
		return err
	}
	for _, connections := range connectionCounts {
		raw, err := s.newRawBaseline(ctx, connections)
		if err != nil {
			return err
		}
		r, err := s.alternate(ctx, raw, connections, tokens)
		if err := errors.Join(err, raw.db.Close()); err != nil {
			return err
		}
		r.Section, r.Name = "orders", fmt.Sprintf("POST /api/orders, %s, %d connections", setup, connections)
		if hasTarget && connections > 1 {
			r = r.withTarget("ratio >= 0.7", r.Ratio >= 0.7)
		}
		s.harness.add(r)
	}
	return nil
}

// alternate measures the raw baseline and orders over HTTP in turn. The value is the median of the rounds, the ratio the median of their
// ratios.
func (s *system) alternate(ctx context.Context, raw *rawBaseline, connections int, tokens []string) (r result, err error) {
	var rawRates, ratios []float64
	r.Notes = map[string]float64{}
	for range s.harness.rounds {
		rawLoad, err := runWorkers(ctx, connections, s.harness.phase, s.processes(), raw.workers())
		if err != nil {
			return r, fmt.Errorf("raw: %w", err)
		}
		orders, err := runWorkers(ctx, connections, s.harness.phase, s.processes(), s.orderWorkers(tokens))
		if err != nil {
			return r, err
		}
		backlog, err := s.awaitIdle(ctx)
		if err != nil {
			return r, err
		}
		ratio := orders.rate / rawLoad.rate
		r.Rounds, rawRates, ratios = append(r.Rounds, orders.rate), append(rawRates, rawLoad.rate), append(ratios, ratio)
		maps.Copy(r.Notes, orders.cpu)
		for name, used := range rawLoad.cpu {
			r.Notes["raw "+name] = used
		}
		p50 := milliseconds(percentile(orders.latencies, 50))
		r.Notes["p50 ms"], r.Notes["p99 ms"] = p50, milliseconds(percentile(orders.latencies, 99))
		r.Notes["outbox backlog"] = float64(backlog)
		s.harness.progress("%d connections: %.0f/s, raw %.0f/s, ratio %.2f; p50 %.1f ms, raw %.1f ms", connections, orders.rate, rawLoad.rate,
			ratio, p50, milliseconds(percentile(rawLoad.latencies, 50)))
	}
	r.Value, r.Unit, r.Baseline, r.BaselineValue, r.Ratio = median(r.Rounds), "/s", "raw", median(rawRates), median(ratios)
	return r, nil
}
