package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// tally counts what was done to the system.
type tally struct {
	mu     sync.Mutex
	kills  map[string]int
	pauses map[string]int
	cuts   int // database connections killed
	snares int // deadlocks and locks laid from outside
	leases int // leases taken away
	caught int // deadlocks that the server resolved while they lay
	again  int // events stored in the stream once more
}

func newTally() *tally { return &tally{kills: map[string]int{}, pauses: map[string]int{}} }

func (t *tally) struck(b blow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b.pause {
		t.pauses[b.label]++
	} else {
		t.kills[b.label]++
	}
}

func (t *tally) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cuts++
}

func (t *tally) took() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leases++
}

func (t *tally) repeat() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.again++
}

func (t *tally) snared(caught int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.snares++
	t.caught += caught
}

// lines tells it.
func (t *tally) lines() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("kills        %s\npauses       %s\n", counted(t.kills), counted(t.pauses)) +
		fmt.Sprintf("rollbacks    %d connections killed, %d traps laid, %d deadlocks\n", t.cuts, t.snares, t.caught) +
		fmt.Sprintf("leases       %d taken away\nrepeats      %d events sent again\n", t.leases, t.again)
}

// counted writes a map as "order 3, user 2", the names in order.
func counted(m map[string]int) string {
	var parts []string
	sum := 0
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, m[name]))
		sum += m[name]
	}
	return fmt.Sprintf("%d (%s)", sum, strings.Join(parts, ", "))
}
