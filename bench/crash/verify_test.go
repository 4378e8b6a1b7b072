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

// healthy is what a calm cluster says after: register, place, update, cancel, discard of another order, and one request that was
// refused.
func healthy() (evidence, map[string]deed) {
	deeds := map[string]deed{
		"d1": {id: "d1", act: register, key: userID, outcome: done, version: 1},
		"d2": {id: "d2", act: place, key: orderID, outcome: done, version: 1},
		"d3": {id: "d3", act: update, key: orderID, outcome: done, version: 2},
		"d4": {id: "d4", act: cancel, key: orderID, outcome: done, version: 3},
		"d5": {id: "d5", act: update, key: orderID, outcome: refused, status: 409},
		"d6": {id: "d6", act: place, outcome: open},
		"d7": {id: "d7", act: discard, key: "order-2", outcome: done},
	}
	order := func(n int64, kind, id, correlation, status string) fact {
		return fact{
			id: correlation + kind + id, kind: kind, source: "/millrace/order", key: id, sequence: n, correlation: correlation,
			data: state{ID: id, Status: status, Version: n, Total: 10},
		}
	}
	e := evidence{
		history: []fact{
			{id: "u1", kind: "user.created.v1", key: userID, sequence: 1, correlation: "d1", data: state{ID: userID, Version: 1}},
			order(1, "order.placed.v1", orderID, "d2", "placed"),
			order(2, "order.updated.v1", orderID, "d3", "placed"),
			order(3, "order.cancelled.v1", orderID, "d4", "cancelled"),
			order(1, "order.placed.v1", "order-2", "d6", "placed"),
			order(2, "order.cancelled.v1", "order-2", "d7", "cancelled"),
			order(3, "order.deleted.v1", "order-2", "d7", "cancelled"),
		},
		orders:    map[string]row{orderID: {owner: userID, status: "cancelled", version: 3, sequence: 3, total: 10}},
		users:     map[string]row{userID: {version: 1, sequence: 1}},
		outbox:    map[string]string{"u1": "user"},
		applied:   map[string]int64{userID: 1},
		customers: map[string]bool{userID: false},
	}
	for i, f := range e.history {
		e.stream = append(e.stream, sent{id: f.id, key: f.key, sequence: f.sequence, at: uint64(i + 1)})
	}
	return e, deeds
}

func TestAHealthyClusterHasNoFindings(t *testing.T) {
	t.Parallel()
	e, deeds := healthy()
	found := verify(e, deeds)
	require.True(t, found.green(), "%+v", found)
}

func TestWhatGoesWrongIsFound(t *testing.T) {
	t.Parallel()
	index := func(e *evidence, correlation string) int {
		return slices.IndexFunc(e.history, func(f fact) bool { return f.correlation == correlation })
	}
	drop := func(e *evidence, correlation string) {
		i := index(e, correlation)
		e.history = slices.Delete(e.history, i, i+1)
	}
	cases := map[string]struct {
		spoil func(e *evidence, deeds map[string]deed)
		found func(f findings) []string
	}{
		"an acknowledged update without its event is lost": {
			func(e *evidence, _ map[string]deed) { drop(e, "d3") }, func(f findings) []string { return f.lost }},
		"an acknowledged cancellation without its event is lost": {
			func(e *evidence, _ map[string]deed) { drop(e, "d4") }, func(f findings) []string { return f.lost }},
		"an event with another version than the answer's is lost": {
			func(e *evidence, _ map[string]deed) { e.history[index(e, "d3")].data.Version = 9 },
			func(f findings) []string { return f.lost }},
		"an outbox row that never reached the history is lost": {
			func(e *evidence, _ map[string]deed) { e.outbox["gone"] = "order" }, func(f findings) []string { return f.lost }},
		"a message of the stream that was not recorded is lost": {
			func(e *evidence, _ map[string]deed) {
				e.stream = append(e.stream, sent{id: "x", key: "k", sequence: 1})
			},
			func(f findings) []string { return f.lost }},
		"a row whose last change has no event is lost": {
			func(e *evidence, _ map[string]deed) { e.orders[orderID] = row{owner: userID, sequence: 4, version: 4} },
			func(f findings) []string { return f.lost }},
		"a user event that the order service did not apply is lost": {
			func(e *evidence, _ map[string]deed) { e.applied[userID] = 0 }, func(f findings) []string { return f.lost }},
		"an order that outlives its user is lost": {
			func(e *evidence, d map[string]deed) {
				d["d8"] = deed{id: "d8", act: leave, key: userID, outcome: done}
				e.history = append(e.history, fact{id: "u2", kind: "user.deleted.v1", key: userID, sequence: 2, correlation: "d8",
					data: state{ID: userID, Version: 2}})
				e.stream = append(e.stream, sent{id: "u2", key: userID, sequence: 2})
				delete(e.users, userID)
				e.applied[userID], e.customers[userID] = 2, true
				e.orders["order-3"] = row{owner: userID, status: "placed", version: 1, sequence: 1, total: 10}
				e.history = append(e.history, fact{id: "o3", kind: "order.placed.v1", key: "order-3", sequence: 1, correlation: "d9",
					data: state{ID: "order-3", Status: "placed", Version: 1, Total: 10}})
				d["d9"] = deed{id: "d9", act: place, outcome: open}
				e.stream = append(e.stream, sent{id: "o3", key: "order-3", sequence: 1})
			}, func(f findings) []string { return f.lost }},
		"an effect that was applied twice is doubled": {
			func(e *evidence, _ map[string]deed) { e.applied[userID] = 2 }, func(f findings) []string { return f.doubled }},
		"a change that happened twice is doubled": {
			func(e *evidence, _ map[string]deed) {
				again := e.history[index(e, "d3")]
				again.id = "another"
				e.history = append(e.history, again)
			}, func(f findings) []string { return f.doubled }},
		"versions that go back are disordered": {
			func(e *evidence, d map[string]deed) {
				e.history[index(e, "d3")].data.Version = 1
				d["d3"] = deed{id: "d3", act: update, key: orderID, outcome: done, version: 1}
			}, func(f findings) []string { return f.disordered }},
		"an update behind the cancellation is disordered": {
			func(e *evidence, _ map[string]deed) {
				a, b := index(e, "d3"), index(e, "d4")
				e.history[a].sequence, e.history[b].sequence = 3, 2
			}, func(f findings) []string { return f.disordered }},
		"a stream that swaps two events of a key is disordered": {
			func(e *evidence, _ map[string]deed) { e.stream[1], e.stream[2] = e.stream[2], e.stream[1] },
			func(f findings) []string { return f.disordered }},
		"an event of a refused request is a phantom": {
			func(e *evidence, _ map[string]deed) { e.history[index(e, "d3")].correlation = "d5" },
			func(f findings) []string { return f.phantom }},
		"an event that nobody asked for is a phantom": {
			func(e *evidence, _ map[string]deed) { e.history[index(e, "d3")].correlation = "unknown" },
			func(f findings) []string { return f.phantom }},
		"an event of another order than the request's is a phantom": {
			func(_ *evidence, d map[string]deed) {
				d["d3"] = deed{id: "d3", act: update, key: "order-2", outcome: open}
			},
			func(f findings) []string { return f.phantom }},
		"an event whose change was rolled back is a phantom": {
			func(e *evidence, _ map[string]deed) {
				e.orders[orderID] = row{owner: userID, status: "placed", version: 2, sequence: 2, total: 10}
			},
			func(f findings) []string { return f.phantom }},
		"an event that went past the stream is a phantom": {
			func(e *evidence, _ map[string]deed) { e.stream = e.stream[:len(e.stream)-1] },
			func(f findings) []string { return f.phantom }},
		"a poison message is a finding": {
			func(e *evidence, _ map[string]deed) { e.poison = []string{"one"} }, func(f findings) []string { return f.other }},
		"an order that is unknown although nobody deleted it is a finding": {
			func(_ *evidence, d map[string]deed) {
				d["d8"] = deed{id: "d8", act: cancel, key: orderID, outcome: refused, status: 404}
			},
			func(f findings) []string { return f.other }},
		"a request that should have been right is a finding": {
			func(_ *evidence, d map[string]deed) {
				d["d8"] = deed{id: "d8", act: place, outcome: refused, status: 422}
			},
			func(f findings) []string { return f.other }},
		"an event that was left out is a finding": {
			func(e *evidence, _ map[string]deed) { e.leftOut = 1 }, func(f findings) []string { return f.other }},
	}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		e, deeds := healthy()
		cases[name].spoil(&e, deeds)
		require.NotEmpty(t, cases[name].found(verify(e, deeds)), name)
	}
}

func TestWhatAnAnswerProves(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Err: net.ErrClosed}
	reading := &net.OpError{Op: "read", Err: net.ErrClosed}
	require.Equal(t, done, answer{status: 201}.outcome())
	require.Equal(t, refused, answer{status: 409, err: net.ErrClosed}.outcome())
	require.Equal(t, refused, answer{unsent: neverConnected(dial), err: dial}.outcome())
	require.Equal(t, open, answer{unsent: neverConnected(reading), err: reading}.outcome(), "it may have happened before it broke")
	require.Equal(t, open, answer{status: 503, err: net.ErrClosed, body: body{Code: "outcome_unknown"}}.outcome())
	require.Equal(t, refused, answer{status: 503, err: net.ErrClosed, body: body{Code: "database_away"}}.outcome())
	require.Equal(t, open, answer{err: net.ErrClosed}.outcome())
	require.Equal(t, open, answer{status: 200, err: net.ErrClosed}.outcome(), "an answer that broke off proves nothing")
}

func TestASeedRepeatsItsChoices(t *testing.T) {
	t.Parallel()
	deck := func(seed uint64) (labels []string) {
		c := &system{mariadb: &cluster.MariaDB{Process: &cluster.Process{}}, nats: &cluster.NATS{Process: &cluster.Process{}}}
		for _, service := range cluster.Services {
			for range 2 {
				c.replicas = append(c.replicas, &replica{Replica: &cluster.Replica{Process: &cluster.Process{}, Services: []string{service}}})
			}
		}
		for _, b := range newChaos(c, options{seed: seed}.random(2, 1), newTally()).deck(true) {
			labels = append(labels, b.label, b.hold.String())
		}
		return labels
	}
	require.Equal(t, deck(7), deck(7))
	require.NotEqual(t, deck(7), deck(8))
}
