package main

import (
	"sync"
)

// act is what a request asks for.
type act string

// The acts of the load, and the event types that each may cause under its own correlation ID.
const (
	place    act = "place"
	update   act = "update"
	cancel   act = "cancel"
	discard  act = "discard" // of an order, which cancels it first where needed
	register act = "register"
	rename   act = "rename"
	leave    act = "leave" // deletes the account; the order service then cancels its orders
)

// causes says which events an act causes: true for one that must be there once the act was acknowledged, false for one that may.
var causes = map[act]map[string]bool{
	place:    {"order.placed.v1": true},
	update:   {"order.updated.v1": true},
	cancel:   {"order.cancelled.v1": false},
	discard:  {"order.deleted.v1": true, "order.cancelled.v1": false},
	register: {"user.created.v1": true},
	rename:   {"user.updated.v1": true},
	leave:    {"user.deleted.v1": true, "order.cancelled.v1": false},
}

// outcome is what is known of a request.
type outcome int

const (
	// open is a request without a trustworthy answer: in flight, timed out, broken off, or 5xx. It may have happened or not.
	open outcome = iota
	// refused is a request that was never sent or was answered with 4xx: it must not have happened.
	refused
	// done is a request that was acknowledged: it must have happened.
	done
)

// deed is one request, as its client knows it.
type deed struct {
	id      string // its correlation ID, which its events carry
	act     act
	key     string // the aggregate, empty where no answer named it
	by      string // the customer who asked
	outcome outcome
	status  int
	version int64 // the version that the answer gave, 0 where it gave none
}

// ledger remembers every request from before it is sent.
type ledger struct {
	mu    sync.Mutex
	deeds map[string]*deed
}

func newLedger() *ledger { return &ledger{deeds: map[string]*deed{}} }

// begin notes a request that is about to be sent.
func (l *ledger) begin(d deed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deeds[d.id] = &d
}

// conclude notes what the answer said.
func (l *ledger) conclude(id string, a answer) outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.deeds[id]
	d.outcome, d.status, d.version = a.outcome(), a.status, a.body.Version
	if d.key == "" {
		d.key = a.body.ID
	}
	return d.outcome
}

// snapshot copies everything that is known.
func (l *ledger) snapshot() map[string]deed {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]deed, len(l.deeds))
	for id, d := range l.deeds {
		all[id] = *d
	}
	return all
}

// tally counts requests by outcome, and the orders that were acknowledged.
func (l *ledger) tally() (byOutcome map[outcome]int, orders int) {
	byOutcome = map[outcome]int{}
	for _, d := range l.snapshot() {
		byOutcome[d.outcome]++
		if d.act == place && d.outcome == done {
			orders++
		}
	}
	return byOutcome, orders
}
