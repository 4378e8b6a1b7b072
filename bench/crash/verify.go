package main

import (
	"maps"
	"slices"
	"strings"
)

// verify compares the observed state with the requests and returns the differences.
func verify(observed observedState, requests map[string]requestRecord) findings {
	v := verifier{
		observedState: observed, requests: requests,
		byRequest: map[string][]historyEvent{}, byKey: map[string][]historyEvent{}, deletedUsers: map[string]bool{},
	}
	for _, e := range observed.history {
		v.byRequest[e.correlationID] = append(v.byRequest[e.correlationID], e)
		v.byKey[e.key] = append(v.byKey[e.key], e)
		if e.eventType == "user.deleted.v1" {
			v.deletedUsers[e.key] = true
		}
	}
	v.checkAcknowledged()
	v.checkRejections()
	v.checkCauses()
	for _, key := range slices.Sorted(maps.Keys(v.byKey)) {
		v.checkSequence(key, slices.SortedStableFunc(slices.Values(v.byKey[key]), bySequence))
	}
	v.checkAggregates()
	v.checkConsumer()
	v.checkDelivery()
	return v.findings
}

// verifier holds the observed state, indexed for the checks.
type verifier struct {
	findings
	observedState

	requests     map[string]requestRecord
	byRequest    map[string][]historyEvent // by correlation ID
	byKey        map[string][]historyEvent // by aggregate ID
	deletedUsers map[string]bool           // by user ID
}

func bySequence(a, b historyEvent) int { return int(a.sequence - b.sequence) }

// checkAcknowledged checks that the history contains the events of each acknowledged request, with the version in the response.
func (v *verifier) checkAcknowledged() {
	for _, id := range slices.Sorted(maps.Keys(v.requests)) {
		r := v.requests[id]
		if r.outcome != acknowledged {
			continue
		}
		for eventType, isRequired := range causedEvents[r.operation] {
			i := slices.IndexFunc(v.byRequest[id], func(e historyEvent) bool { return e.eventType == eventType && e.key == r.key })
			switch {
			case i < 0 && isRequired:
				v.addLost("%s of %s was acknowledged, but %s is not in the history", id, r.key, eventType)
			case i >= 0 && isRequired && r.version != 0 && v.byRequest[id][i].data.Version != r.version:
				v.addLost("%s of %s was acknowledged with version %d, but its event has version %d",
					id, r.key, r.version, v.byRequest[id][i].data.Version)
			}
		}
		isCancellation := func(e historyEvent) bool { return e.eventType == "order.cancelled.v1" }
		if r.operation == cancelOrder && !slices.ContainsFunc(v.byKey[r.key], isCancellation) {
			v.addLost("%s of %s was acknowledged, but order.cancelled.v1 is not in the history", id, r.key)
		}
	}
}

// checkCauses checks that a request explains each event of the history, and that no request caused the same event twice.
func (v *verifier) checkCauses() {
	seen := map[string]bool{}
	for _, e := range v.history {
		if e.key == v.adminID && e.eventType == "user.created.v1" {
			continue
		}
		r, known := v.requests[e.correlationID]
		_, allowed := causedEvents[r.operation][e.eventType]
		otherKey := r.key != "" && r.key != e.key && (r.operation != deleteUser || aggregateOf(e.eventType) != "order")
		switch {
		case !known:
			v.addUnexpected("%s of %s has correlation ID %q, which no request has", e.eventType, e.key, e.correlationID)
		case r.outcome == rejected:
			v.addUnexpected("%s of %s was caused by %s, which was rejected (%d)", e.eventType, e.key, r.id, r.status)
		case !allowed, otherKey:
			v.addUnexpected("%s of %s cannot be caused by %s of %s", e.eventType, e.key, r.id, r.key)
		}
		effect := e.correlationID + " " + e.eventType + " " + e.key
		if seen[effect] {
			v.addDuplicated("%s of %s is in the history twice for %s", e.eventType, e.key, e.correlationID)
		}
		seen[effect] = true
	}
}

// checkSequence checks that the events of a key are complete, and that each is possible after the one before.
func (v *verifier) checkSequence(key string, events []historyEvent) {
	cancelled := false
	for i, e := range events {
		if i > 0 && e.sequence == events[i-1].sequence {
			v.addDuplicated("%s has two events with sequence %d", key, e.sequence)
			continue
		}
		expected := int64(1)
		if i > 0 {
			expected = events[i-1].sequence + 1
			if e.data.Version <= events[i-1].data.Version {
				v.addMisordered("%s: version %d (%s) follows version %d", key, e.data.Version, e.eventType, events[i-1].data.Version)
			}
		}
		if e.sequence != expected {
			v.addLost("%s: expected event %d, but the next is %d (%s)", key, expected, e.sequence, e.eventType)
		}
		begins := strings.HasSuffix(e.eventType, ".placed.v1") || strings.HasSuffix(e.eventType, ".created.v1")
		ends := strings.HasSuffix(e.eventType, ".deleted.v1")
		if begins != (i == 0) || ends && i != len(events)-1 || cancelled && !ends || e.data.ID != key {
			v.addMisordered("%s: %s is event %d of %d", key, e.eventType, i+1, len(events))
		}
		cancelled = cancelled || e.eventType == "order.cancelled.v1"
	}
}

// checkAggregates checks that each row has the state of its last event, and that each key has a row unless its last event is a deletion.
func (v *verifier) checkAggregates() {
	for aggregate, rows := range map[string]map[string]aggregateRow{"order": v.orders, "user": v.users} {
		for key, row := range rows {
			events := v.byKey[key]
			if len(events) == 0 {
				v.addLost("%s %s exists, but has no event in the history", aggregate, key)
				continue
			}
			last := slices.MaxFunc(events, bySequence)
			v.checkRow(aggregate, key, row, last)
		}
	}
	for key, events := range v.byKey {
		last := slices.MaxFunc(events, bySequence)
		_, order := v.orders[key]
		_, user := v.users[key]
		if deleted := strings.HasSuffix(last.eventType, ".deleted.v1"); deleted == (order || user) {
			v.addUnexpected("%s: the last event is %s, and its row exists: %t", key, last.eventType, order || user)
		}
	}
}

func (v *verifier) checkRow(aggregate, key string, row aggregateRow, last historyEvent) {
	switch {
	case row.sequence > last.sequence:
		v.addLost("%s %s has published %d events, but the last one in the history is %d", aggregate, key, row.sequence, last.sequence)
	case row.sequence < last.sequence:
		v.addUnexpected("%s %s has published %d events, but the history has event %d: %s",
			aggregate, key, row.sequence, last.sequence, last.eventType)
	case row.version != v.expectedVersion(row, last), row.status != last.data.Status, row.total != last.data.Total:
		v.addUnexpected("%s %s is %+v, but its last event has %+v", aggregate, key, row, last.data)
	}
}

// expectedVersion returns the version that a row must have after its last event. When a user is deleted, the order service erases the text
// that the user gave as the reason of a cancellation. That increases the version of the order and publishes no event.
func (v *verifier) expectedVersion(row aggregateRow, last historyEvent) int64 {
	if v.deletedUsers[row.owner] && last.data.Reason == "customer" {
		return last.data.Version + 1
	}
	return last.data.Version
}

// checkConsumer checks that the order service applied each event of the user service once, and that all consumers succeeded.
func (v *verifier) checkConsumer() {
	published := map[string]int64{}
	for _, e := range v.history {
		if aggregateOf(e.eventType) == "user" {
			published[e.key]++
		}
	}
	for key, n := range published {
		switch applied := v.applied[key]; {
		case applied < n:
			v.addLost("order-customers applied %d of %d events of user %s", applied, n, key)
		case applied > n:
			v.addDuplicated("order-customers applied %d events of user %s, who has only %d", applied, key, n)
		}
		if v.deletedUsers[key] && !v.customers[key] {
			v.addLost("user %s is deleted, but not in the order service", key)
		}
	}
	for key := range v.applied {
		if published[key] == 0 {
			v.addUnexpected("order-customers applied events of user %s, who has none in the history", key)
		}
	}
	for key, row := range v.orders {
		if !v.deletedUsers[row.owner] {
			continue
		}
		if row.status == "placed" {
			v.addLost("order %s is still placed, but its user %s is deleted", key, row.owner)
		}
		if row.reason != "" && row.reason != "user_deleted" {
			v.addOther("order %s still has the cancellation reason of its deleted user %s", key, row.owner)
		}
	}
	for _, p := range v.poison {
		v.addOther("in the poison queue: %s", p)
	}
	if v.skippedRuns > 0 {
		v.addOther("inboxes have skipped %d ranges of events", v.skippedRuns)
	}
}

// checkDelivery checks that each event went from the outbox through the stream to the history, once and in order.
func (v *verifier) checkDelivery() {
	recorded := map[string]bool{}
	for _, e := range v.history {
		if recorded[e.id] {
			v.addDuplicated("event %s is in the history twice", e.id)
		}
		recorded[e.id] = true
	}
	for id, service := range v.outbox {
		if !recorded[id] {
			v.addLost("event %s is in the outbox of %s, but not in the history", id, service)
		}
	}
	streamed := map[string]bool{}
	last := map[string]int64{}
	for _, m := range v.stream {
		if streamed[m.id] { // published again after the broker's deduplication window; consumers recognize its event ID
			continue
		}
		streamed[m.id] = true
		if !recorded[m.id] {
			v.addLost("event %s is in the stream, but not in the history", m.id)
		}
		if m.sequence != last[m.key]+1 {
			v.addMisordered("the stream has event %d of %s at sequence %d, after its event %d", m.sequence, m.key, m.streamSequence, last[m.key])
		}
		last[m.key] = m.sequence
	}
	for _, e := range v.history {
		if !streamed[e.id] {
			v.addUnexpected("event %s (%s) is in the history, but not in the stream", e.id, e.eventType)
		}
	}
}
