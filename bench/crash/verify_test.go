package main

import (
	"maps"
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/bench/cluster"
)

const (
	orderID = "order-1"
	userID  = "user-1"
)

// consistentState returns a state without findings. The requests created a user, placed, updated and cancelled an order, and deleted
// another order; one update was rejected.
func consistentState() (observedState, map[string]requestRecord) {
	requests := map[string]requestRecord{
		"r1": {id: "r1", operation: createUser, key: userID, outcome: acknowledged, version: 1},
		"r2": {id: "r2", operation: placeOrder, key: orderID, outcome: acknowledged, version: 1},
		"r3": {id: "r3", operation: updateOrder, key: orderID, outcome: acknowledged, version: 2},
		"r4": {id: "r4", operation: cancelOrder, key: orderID, outcome: acknowledged, version: 3},
		"r5": {id: "r5", operation: updateOrder, key: orderID, outcome: rejected, status: 409},
		"r6": {id: "r6", operation: placeOrder, outcome: unknown},
		"r7": {id: "r7", operation: deleteOrder, key: "order-2", outcome: acknowledged},
	}
	orderEvent := func(n int64, eventType, id, correlationID, status string) historyEvent {
		return historyEvent{
			id: correlationID + eventType + id, eventType: eventType, source: "/millrace/order", key: id, sequence: n,
			correlationID: correlationID, data: eventData{ID: id, Status: status, Version: n, Total: 10},
		}
	}
	state := observedState{
		history: []historyEvent{
			{
				id: "u1", eventType: "user.created.v1", key: userID, sequence: 1, correlationID: "r1",
				data: eventData{ID: userID, Version: 1},
			},
			orderEvent(1, "order.placed.v1", orderID, "r2", "placed"),
			orderEvent(2, "order.updated.v1", orderID, "r3", "placed"),
			orderEvent(3, "order.cancelled.v1", orderID, "r4", "cancelled"),
			orderEvent(1, "order.placed.v1", "order-2", "r6", "placed"),
			orderEvent(2, "order.cancelled.v1", "order-2", "r7", "cancelled"),
			orderEvent(3, "order.deleted.v1", "order-2", "r7", "cancelled"),
		},
		orders:    map[string]aggregateRow{orderID: {owner: userID, status: "cancelled", version: 3, sequence: 3, total: 10}},
		users:     map[string]aggregateRow{userID: {version: 1, sequence: 1}},
		outbox:    map[string]string{"u1": "user"},
		applied:   map[string]int64{userID: 1},
		customers: map[string]bool{userID: false},
	}
	for i, e := range state.history {
		state.stream = append(state.stream, streamMessage{id: e.id, key: e.key, sequence: e.sequence, streamSequence: uint64(i + 1)})
	}
	return state, requests
}

// indexOf returns the index of the first event that a request caused.
func indexOf(s *observedState, correlationID string) int {
	return slices.IndexFunc(s.history, func(e historyEvent) bool { return e.correlationID == correlationID })
}

// removeEvent removes the first event that a request caused from the history.
func removeEvent(s *observedState, correlationID string) {
	i := indexOf(s, correlationID)
	s.history = slices.Delete(s.history, i, i+1)
}

// addEvent adds an event to the history and to the stream.
func addEvent(s *observedState, e historyEvent) {
	s.history = append(s.history, e)
	s.stream = append(s.stream, streamMessage{id: e.id, key: e.key, sequence: e.sequence})
}

// deleteOwner deletes the user who owns the order.
func deleteOwner(s *observedState, requests map[string]requestRecord) {
	requests["r8"] = requestRecord{id: "r8", operation: deleteUser, key: userID, outcome: acknowledged}
	addEvent(s, historyEvent{id: "u2", eventType: "user.deleted.v1", key: userID, sequence: 2, correlationID: "r8",
		data: eventData{ID: userID, Version: 2}})
	delete(s.users, userID)
	s.applied[userID], s.customers[userID] = 2, true
}

func TestConsistentStateHasNoFindings(t *testing.T) {
	t.Parallel()
	state, requests := consistentState()
	found := verify(state, requests)
	require.True(t, found.empty(), "%+v", found)
}

func TestErasedReasonOfADeletedUserIsNoFinding(t *testing.T) {
	t.Parallel()
	state, requests := consistentState()
	deleteOwner(&state, requests)
	state.history[indexOf(&state, "r4")].data.Reason = "customer"
	state.orders[orderID] = aggregateRow{owner: userID, status: "cancelled", version: 4, sequence: 3, total: 10}
	found := verify(state, requests)
	require.True(t, found.empty(), "%+v", found)
}

func TestInconsistenciesAreFound(t *testing.T) {
	t.Parallel()
	lost := func(f findings) []string { return f.lost }
	duplicated := func(f findings) []string { return f.duplicated }
	misordered := func(f findings) []string { return f.misordered }
	unexpected := func(f findings) []string { return f.unexpected }
	other := func(f findings) []string { return f.other }
	cases := map[string]struct {
		corrupt func(s *observedState, requests map[string]requestRecord)
		kind    func(f findings) []string
	}{
		"an acknowledged update without its event is lost": {
			func(s *observedState, _ map[string]requestRecord) { removeEvent(s, "r3") }, lost},
		"an acknowledged cancellation without its event is lost": {
			func(s *observedState, _ map[string]requestRecord) { removeEvent(s, "r4") }, lost},
		"an event with another version than the response is lost": {
			func(s *observedState, _ map[string]requestRecord) { s.history[indexOf(s, "r3")].data.Version = 9 }, lost},
		"an outbox row that did not reach the history is lost": {
			func(s *observedState, _ map[string]requestRecord) { s.outbox["missing"] = "order" }, lost},
		"a stream message that is not in the history is lost": {
			func(s *observedState, _ map[string]requestRecord) {
				s.stream = append(s.stream, streamMessage{id: "x", key: "k", sequence: 1})
			}, lost},
		"a row whose last change has no event is lost": {
			func(s *observedState, _ map[string]requestRecord) {
				s.orders[orderID] = aggregateRow{owner: userID, sequence: 4, version: 4}
			}, lost},
		"a user event that the order service did not apply is lost": {
			func(s *observedState, _ map[string]requestRecord) { s.applied[userID] = 0 }, lost},
		"a placed order of a deleted user is lost": {
			func(s *observedState, requests map[string]requestRecord) {
				deleteOwner(s, requests)
				requests["r9"] = requestRecord{id: "r9", operation: placeOrder, outcome: unknown}
				addEvent(s, historyEvent{id: "o3", eventType: "order.placed.v1", key: "order-3", sequence: 1, correlationID: "r9",
					data: eventData{ID: "order-3", Status: "placed", Version: 1, Total: 10}})
				s.orders["order-3"] = aggregateRow{owner: userID, status: "placed", version: 1, sequence: 1, total: 10}
			}, lost},
		"an event that was applied twice is duplicated": {
			func(s *observedState, _ map[string]requestRecord) { s.applied[userID] = 2 }, duplicated},
		"a change with two events is duplicated": {
			func(s *observedState, _ map[string]requestRecord) {
				second := s.history[indexOf(s, "r3")]
				second.id = "another"
				s.history = append(s.history, second)
			}, duplicated},
		"versions that decrease are misordered": {
			func(s *observedState, requests map[string]requestRecord) {
				s.history[indexOf(s, "r3")].data.Version = 1
				requests["r3"] = requestRecord{id: "r3", operation: updateOrder, key: orderID, outcome: acknowledged, version: 1}
			}, misordered},
		"an update after the cancellation is misordered": {
			func(s *observedState, _ map[string]requestRecord) {
				update, cancellation := indexOf(s, "r3"), indexOf(s, "r4")
				s.history[update].sequence, s.history[cancellation].sequence = 3, 2
			}, misordered},
		"two swapped events of a key in the stream are misordered": {
			func(s *observedState, _ map[string]requestRecord) {
				s.stream[1], s.stream[2] = s.stream[2], s.stream[1]
			}, misordered},
		"an event of a rejected request is unexpected": {
			func(s *observedState, _ map[string]requestRecord) { s.history[indexOf(s, "r3")].correlationID = "r5" }, unexpected},
		"an event without a request is unexpected": {
			func(s *observedState, _ map[string]requestRecord) { s.history[indexOf(s, "r3")].correlationID = "none" }, unexpected},
		"an event of another order than the request's is unexpected": {
			func(_ *observedState, requests map[string]requestRecord) {
				requests["r3"] = requestRecord{id: "r3", operation: updateOrder, key: "order-2", outcome: unknown}
			}, unexpected},
		"an event whose change was rolled back is unexpected": {
			func(s *observedState, _ map[string]requestRecord) {
				s.orders[orderID] = aggregateRow{owner: userID, status: "placed", version: 2, sequence: 2, total: 10}
			}, unexpected},
		"an event of the history that is not in the stream is unexpected": {
			func(s *observedState, _ map[string]requestRecord) { s.stream = s.stream[:len(s.stream)-1] }, unexpected},
		"a poison message is a finding": {
			func(s *observedState, _ map[string]requestRecord) { s.poison = []string{"one"} }, other},
		"a 404 for an order that nobody deleted is a finding": {
			func(_ *observedState, requests map[string]requestRecord) {
				requests["r8"] = requestRecord{id: "r8", operation: cancelOrder, key: orderID, outcome: rejected, status: 404}
			}, other},
		"a 422 for a valid request is a finding": {
			func(_ *observedState, requests map[string]requestRecord) {
				requests["r8"] = requestRecord{id: "r8", operation: placeOrder, outcome: rejected, status: 422}
			}, other},
		"an order of a deleted user whose reason was not erased is unexpected": {
			func(s *observedState, requests map[string]requestRecord) {
				deleteOwner(s, requests)
				s.history[indexOf(s, "r4")].data.Reason = "customer"
			}, unexpected},
		"a cancellation reason that outlives its user is a finding": {
			func(s *observedState, requests map[string]requestRecord) {
				deleteOwner(s, requests)
				row := s.orders[orderID]
				row.reason = "changed my mind"
				s.orders[orderID] = row
			}, other},
		"a skipped event is a finding": {
			func(s *observedState, _ map[string]requestRecord) { s.skippedRuns = 1 }, other},
	}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		state, requests := consistentState()
		cases[name].corrupt(&state, requests)
		require.NotEmpty(t, cases[name].kind(verify(state, requests)), name)
	}
}

func TestOutcomeOfAResponse(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Err: net.ErrClosed}
	read := &net.OpError{Op: "read", Err: net.ErrClosed}
	require.Equal(t, acknowledged, response{status: 201}.outcome())
	require.Equal(t, rejected, response{status: 409, err: net.ErrClosed}.outcome())
	require.Equal(t, rejected, response{unsent: isDialError(dial), err: dial}.outcome())
	require.Equal(t, unknown, response{unsent: isDialError(read), err: read}.outcome(), "the server may have handled the request")
	require.Equal(t, unknown, response{status: 503, err: net.ErrClosed, body: responseBody{Code: "outcome_unknown"}}.outcome())
	require.Equal(t, rejected, response{status: 503, err: net.ErrClosed, body: responseBody{Code: "database_away"}}.outcome())
	require.Equal(t, unknown, response{err: net.ErrClosed}.outcome())
	require.Equal(t, unknown, response{status: 200, err: net.ErrClosed}.outcome(), "an incomplete response proves nothing")
}

func TestSameSeedInjectsTheSameFaults(t *testing.T) {
	t.Parallel()
	faults := func(seed uint64) (labels []string) {
		s := &system{mariadb: &cluster.MariaDB{Process: &cluster.Process{}}, nats: &cluster.NATS{Process: &cluster.Process{}}}
		for _, service := range cluster.Services {
			for range 2 {
				s.replicas = append(s.replicas, &replica{Replica: &cluster.Replica{Process: &cluster.Process{}, Services: []string{service}}})
			}
		}
		random := options{seed: seed}.newRand(randProcessFaults, 1)
		for _, f := range newProcessFaultInjector(s, random, newFaultCounts()).shuffledFaults(true) {
			labels = append(labels, f.label, f.downtime.String())
		}
		return labels
	}
	require.Equal(t, faults(7), faults(7))
	require.NotEqual(t, faults(7), faults(8))
}
