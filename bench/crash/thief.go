package main

import (
	"context"
	"sync"
	"time"

	"github.com/millrace/millrace/bench/cluster"
)

// Each round begins with a theft: under load, but while nothing else breaks, so that two relays of which one does not know that
// it has lost its lease are seen side by side for longer than they may be.
const (
	theft    = 3 * time.Second // until another relay has the lease
	lookedAt = overlap + 1500*time.Millisecond
)

// rob has each service's lease go from one relay to the other while the first is sure of it, and waits until that would be found.
func (s *saboteur) rob(ctx context.Context) {
	var services sync.WaitGroup
	for _, service := range cluster.Services {
		services.Go(func() { s.handOver(ctx, service) })
	}
	services.Wait()
	cluster.Sleep(ctx, lookedAt)
}

// handOver takes a service's lease away again and again, until another relay has it: the first renews it every second.
func (s *saboteur) handOver(ctx context.Context, service string) {
	ctx, cancel := context.WithTimeout(ctx, theft)
	defer cancel()
	before, err := s.holder(ctx, service)
	for err == nil && cluster.Sleep(ctx, 20*time.Millisecond) {
		if err = s.endLease(ctx, service); err != nil {
			return
		}
		var now string
		if now, err = s.holder(ctx, service); err == nil && now != before {
			s.tally.took()
			return
		}
	}
}

func (s *saboteur) holder(ctx context.Context, service string) (name string, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT holder FROM millrace_"+service+".lease WHERE name = 'relay'").Scan(&name)
	return name, err
}
