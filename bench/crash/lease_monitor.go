package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/millrace/millrace/bench/cluster"
)

// maxLeaseOverlap is how long two relays may report that they hold the same lease. A relay notices that it lost its lease when it renews
// it, every second, and it stops at the latest when the lease would have expired.
const maxLeaseOverlap = relayLease + time.Second/2

// monitorLeases polls the lease metrics during a round until ctx is done. It returns a finding for each service of which two processes
// held the lease for longer than maxLeaseOverlap. A poll that a process does not answer ends the overlap, because that process may be
// paused.
func monitorLeases(ctx context.Context, s *system) []string {
	overlapSince := map[string]time.Time{}
	found := map[string]string{}
	for cluster.Sleep(ctx, 250*time.Millisecond) {
		for _, service := range cluster.Services {
			if len(s.replicasOf(service)) < 2 {
				continue
			}
			if !allHoldLease(ctx, s, service) {
				delete(overlapSince, service)
				continue
			}
			if _, ok := overlapSince[service]; !ok {
				overlapSince[service] = time.Now()
			}
			if d := time.Since(overlapSince[service]); d > maxLeaseOverlap {
				found[service] = fmt.Sprintf("two processes of %s held the relay's lease for %s or longer", service, d.Round(time.Second))
			}
		}
	}
	return slices.Sorted(maps.Values(found))
}

// allHoldLease reports whether every process of a service reports that it holds the lease.
func allHoldLease(ctx context.Context, s *system, service string) bool {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	for _, r := range s.replicasOf(service) {
		if held, _, err := readLeaseMetric(ctx, r, service); err != nil || !held {
			return false
		}
	}
	return true
}
