package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// connections are how many clients order at once.
var connections = []int{1, 16, 64}

// measureOrders places orders over HTTP beside the raw limit of the database: the same two INSERTs in one transaction, on as many
// connections. The two take turns.
func measureOrders(ctx context.Context, l *lab) error {
	for _, setting := range []struct {
		what     string
		start    func() (*system, error)
		targeted bool
	}{
		{"order service and its relay", func() (*system, error) { return l.startSplit(ctx, "user", "order") }, true},
		{"three services", func() (*system, error) { return l.startSplit(ctx, "user", "order", "event") }, false},
		{"all in one on SQLite", func() (*system, error) { return l.startWhole(ctx) }, false},
	} {
		l.say("orders: %s", setting.what)
		s, err := setting.start()
		if err != nil {
			return err
		}
		if err := errors.Join(s.compareOrders(ctx, setting.what, setting.targeted), s.stop()); err != nil {
			return fmt.Errorf("%s: %w", setting.what, err)
		}
	}
	return nil
}

// compareOrders measures one way of running Millrace.
func (s *system) compareOrders(ctx context.Context, what string, targeted bool) error {
	tokens, err := s.customers(ctx, 8)
	if err != nil {
		return err
	}
	if _, err := drive(ctx, 1, warm, nil, s.orderers(tokens)); err != nil { // a first one, for its rows
		return err
	}
	if _, err := s.settle(ctx); err != nil {
		return err
	}
	for _, n := range connections {
		raw, err := s.newLimit(ctx, n)
		if err != nil {
			return err
		}
		f, err := s.duel(ctx, raw, n, tokens)
		if err := errors.Join(err, raw.db.Close()); err != nil {
			return err
		}
		f.Section, f.What = "orders", fmt.Sprintf("POST /api/orders, %s, %d connections", what, n)
		if targeted && n > 1 {
			f = f.aims("ratio >= 0.7", f.Ratio >= 0.7)
		}
		s.lab.add(f)
	}
	return nil
}

// duel lets the raw limit and HTTP take turns. The figure is the median of the rounds, its ratio the median of their ratios.
func (s *system) duel(ctx context.Context, raw *limit, n int, tokens []string) (f figure, err error) {
	var others, ratios []float64
	f.Notes = map[string]float64{}
	for range s.lab.rounds {
		limit, err := drive(ctx, n, s.lab.phase, s.processes(), raw.writers())
		if err != nil {
			return f, fmt.Errorf("raw: %w", err)
		}
		orders, err := drive(ctx, n, s.lab.phase, s.processes(), s.orderers(tokens))
		if err != nil {
			return f, err
		}
		waited, err := s.settle(ctx)
		if err != nil {
			return f, err
		}
		f.Rounds, others, ratios = append(f.Rounds, orders.rate), append(others, limit.rate), append(ratios, orders.rate/limit.rate)
		maps.Copy(f.Notes, orders.cpu)
		for name, spent := range limit.cpu {
			f.Notes["raw "+name] = spent
		}
		f.Notes["p50 ms"], f.Notes["p99 ms"] = ms(percentile(orders.latencies, 50)), ms(percentile(orders.latencies, 99))
		f.Notes["outbox rows left"] = float64(waited)
		s.lab.say("%d connections: %.0f/s of %.0f/s = %.2f, p50 %.1f ms of %.1f ms", n, orders.rate, limit.rate, orders.rate/limit.rate,
			ms(percentile(orders.latencies, 50)), ms(percentile(limit.latencies, 50)))
	}
	f.Value, f.Unit, f.Beside, f.Other, f.Ratio = median(f.Rounds), "/s", "raw", median(others), median(ratios)
	return f, nil
}
