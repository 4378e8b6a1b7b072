package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/millrace/millrace/bench/cluster"
)

// overlap is how long two relays may both believe that they hold a lease. One that was taken away is noticed when it is renewed,
// every second, and at the latest when it would have ended; nobody can be sure of it for longer.
const overlap = lease + time.Second/2

// watch looks at the leases while everything breaks, until ctx ends, and tells of services of which two processes held the lease
// for too long. A process that does not answer breaks the span: it may be asleep.
func watch(ctx context.Context, c *system) []string {
	since := map[string]time.Time{}
	found := map[string]string{}
	for cluster.Sleep(ctx, 250*time.Millisecond) {
		for _, service := range cluster.Services {
			if len(c.of(service)) < 2 {
				continue
			}
			if !allHold(ctx, c, service) {
				delete(since, service)
				continue
			}
			if _, ok := since[service]; !ok {
				since[service] = time.Now()
			}
			if d := time.Since(since[service]); d > overlap {
				found[service] = fmt.Sprintf("two processes of %s held the relay's lease for %s or longer", service, d.Round(time.Second))
			}
		}
	}
	return slices.Sorted(maps.Values(found))
}

// allHold reports whether every process of a service says that it holds the lease.
func allHold(ctx context.Context, c *system, service string) bool {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	for _, r := range c.of(service) {
		if held, _, err := holds(ctx, r, service); err != nil || !held {
			return false
		}
	}
	return true
}
