package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// faultCounts counts the injected faults. It is safe for concurrent use.
type faultCounts struct {
	mu              sync.Mutex
	kills           map[string]int // by label of the process
	pauses          map[string]int // by label of the process
	connectionKills int
	locks           int // transactions of ours that took locks which the services need
	deadlocks       int // deadlocks that the server detected during these transactions
	lostLeases      int
	republished     int
}

func newFaultCounts() *faultCounts {
	return &faultCounts{kills: map[string]int{}, pauses: map[string]int{}}
}

func (c *faultCounts) addProcessFault(f processFault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.pause {
		c.pauses[f.label]++
	} else {
		c.kills[f.label]++
	}
}

func (c *faultCounts) addConnectionKill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connectionKills++
}

func (c *faultCounts) addLostLease() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lostLeases++
}

func (c *faultCounts) addRepublished() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.republished++
}

// addLock counts a transaction that took conflicting locks, and the deadlocks that it caused.
func (c *faultCounts) addLock(deadlocks int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.locks++
	c.deadlocks += deadlocks
}

// report returns the counts as lines of the final report.
func (c *faultCounts) report() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("kills        %s\npauses       %s\n", formatCounts(c.kills), formatCounts(c.pauses)) +
		fmt.Sprintf("rollbacks    %d connections killed, %d conflicting locks, %d deadlocks\n", c.connectionKills, c.locks, c.deadlocks) +
		fmt.Sprintf("leases       %d expired early\nduplicates   %d events published again\n", c.lostLeases, c.republished)
}

// formatCounts returns the sum and the counts, such as "5 (order 3, user 2)", sorted by name.
func formatCounts(counts map[string]int) string {
	var parts []string
	sum := 0
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
		sum += counts[name]
	}
	return fmt.Sprintf("%d (%s)", sum, strings.Join(parts, ", "))
}
