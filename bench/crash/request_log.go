package main

import (
	"sync"
)

// operation is what a request asks for.
type operation string

// The operations of the load.
const (
	placeOrder  operation = "place-order"
	updateOrder operation = "update-order"
	cancelOrder operation = "cancel-order"
	deleteOrder operation = "delete-order" // cancels a placed order first
	createUser  operation = "create-user"
	updateUser  operation = "update-user"
	deleteUser  operation = "delete-user" // the order service then cancels the user's orders
)

// Whether an event must exist after its operation was acknowledged.
const (
	required = true
	optional = false
)

// causedEvents maps each operation to the event types that it can cause. These events carry the request's correlation ID.
var causedEvents = map[operation]map[string]bool{
	placeOrder:  {"order.placed.v1": required},
	updateOrder: {"order.updated.v1": required},
	cancelOrder: {"order.cancelled.v1": optional},
	deleteOrder: {"order.deleted.v1": required, "order.cancelled.v1": optional},
	createUser:  {"user.created.v1": required},
	updateUser:  {"user.updated.v1": required},
	deleteUser:  {"user.deleted.v1": required, "order.cancelled.v1": optional},
}

// outcome is what the client knows about the effect of a request.
type outcome int

const (
	// unknown is the outcome of a request that is in flight, timed out, was cut off, or was answered with 5xx. It may have had an effect.
	unknown outcome = iota
	// rejected is the outcome of a request that was not sent or was answered with 4xx. It must not have had an effect.
	rejected
	// acknowledged is the outcome of a request that was answered with 2xx. It must have had its effect.
	acknowledged
)

// requestRecord is one request as its client knows it.
type requestRecord struct {
	id        string // the correlation ID, which the request's events carry
	operation operation
	key       string // the aggregate's ID; empty if no response contained it
	userID    string // the user who sent the request
	outcome   outcome
	status    int
	version   int64 // the version in the response; 0 if there was none
}

// requestLog records every request before it is sent. It is safe for concurrent use.
type requestLog struct {
	mu      sync.Mutex
	records map[string]*requestRecord
}

func newRequestLog() *requestLog { return &requestLog{records: map[string]*requestRecord{}} }

// begin records a request that is about to be sent.
func (l *requestLog) begin(r requestRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records[r.id] = &r
}

// complete records the response to a request and returns the outcome.
func (l *requestLog) complete(id string, res response) outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.records[id]
	r.outcome, r.status, r.version = res.outcome(), res.status, res.body.Version
	if r.key == "" {
		r.key = res.body.ID
	}
	return r.outcome
}

// snapshot returns a copy of all records by correlation ID.
func (l *requestLog) snapshot() map[string]requestRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]requestRecord, len(l.records))
	for id, r := range l.records {
		all[id] = *r
	}
	return all
}

// count returns the number of requests by outcome, and the number of orders whose placement was acknowledged.
func (l *requestLog) count() (byOutcome map[outcome]int, orders int) {
	byOutcome = map[outcome]int{}
	for _, r := range l.snapshot() {
		byOutcome[r.outcome]++
		if r.operation == placeOrder && r.outcome == acknowledged {
			orders++
		}
	}
	return byOutcome, orders
}
