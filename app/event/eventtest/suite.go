// Package eventtest is the suite that each store of the event service must pass.
package eventtest

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/command"
	"github.com/millrace/millrace/app/event/query"
	"github.com/millrace/millrace/router/relay"
)

// Store is what is tested.
type Store interface {
	command.Store
	query.Store
}

// Bench is a fresh store, and the outbox that it sends messages back through.
type Bench struct {
	Store  Store
	Outbox relay.Outbox
	Key    envelope.RequeueKey // of the store
}

// Each runs a test on a fresh Bench of each database.
type Each func(t *testing.T, test func(t *testing.T, b Bench))

// Run runs the suite.
func Run(t *testing.T, each Each) {
	for name, test := range map[string]func(*testing.T, Bench){
		"event redelivered 32 times at once is recorded once":         recordedOnce,
		"two sources may use one event ID":                            twoSources,
		"foreign messages are kept byte for byte":                     foreignMessages,
		"cancelled recording leaves nothing":                          cancelledRecording,
		"reader beside many recorders misses no event":                readerMissesNothing,
		"positions follow the order of recording in batches":          positionsInOrder,
		"positions of an undone transaction are given again":          undonePositions,
		"events without a position are seen by nobody":                unseenBeforePositioned,
		"history is paged in both directions":                         pagedHistory,
		"history is filtered":                                         filteredHistory,
		"windows of time have all their events, and no others":        windows,
		"heavy page ends early and loses nothing":                     heavyPage,
		"poison redelivered 32 times at once is stored once":          poisonStoredOnce,
		"poison of any content is kept byte for byte":                 foreignPoison,
		"poison is a failure in the event's outcomes":                 poisonInOutcomes,
		"requeueing from 16 callers at once sends back once":          requeuedOnce,
		"message that was kept without its payload stays":             requeuedWithoutPayload,
		"requeued message keeps its event ID and goes to one topic":   requeuedMessage,
		"unsigned message of ours goes back from the queue":           requeuedUnsigned,
		"unsigned message of somebody else never goes back":           forgedRequeue,
		"requeued nonsense can be published":                          requeuedNonsense,
		"requeueing that is undone sends nothing back":                undoneRequeue,
		"redelivered poison does not undo what was decided":           decisionStays,
		"poison that names no consumer stays":                         poisonWithoutConsumer,
		"poison queue is paged and filtered":                          pagedPoison,
		"unknown events and poison messages are not found":            notFound,
		"poison of the next round is a message beside the first":      nextRound,
		"recorder and sequencer beside each other lock nobody out":    noLockOut,
		"order of one key stays its order in the history":             orderOfKey,
		"event recorded before its predecessor is shown behind it":    lateFirst,
		"key whose first event is late holds no other up":             lateFirstAlone,
		"event of the year 10000 does not break the history's reader": farFuture,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, test)
		})
	}
}

// begin is the time at which the tests happen.
var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func now() time.Time { return begin }

// order makes the message of event number n of an order.
func order(key uuid.UUID, n int) event.Message {
	id := uuid.Must(uuid.NewV7())
	e := envelope.Envelope{
		ID: id.String(), Type: contract.TypeOrderPlaced, Source: contract.SourceOrder, Key: key.String(), Sequence: int64(n),
		Time: begin.Add(time.Duration(n) * time.Second), CorrelationID: "corr-" + key.String(), CausationID: "cause",
	}
	return event.Message{
		ID: e.ID, Subject: envelope.Topic(e.Type), Metadata: e.Metadata(), Data: []byte(`{"n": ` + strconv.Itoa(n) + `}`),
	}
}

func record(t *testing.T, b Bench, messages ...event.Message) {
	t.Helper()
	h := command.NewRecordEventHandler(b.Store, now)
	for _, m := range messages {
		require.NoError(t, h.Handle(t.Context(), command.RecordEvent{Message: m}))
	}
}

// assign gives positions until nobody waits.
func assign(t *testing.T, b Bench) {
	t.Helper()
	h := command.NewAssignPositionsHandler(b.Store, now)
	for more := true; more; {
		var err error
		more, err = h.Handle(t.Context())
		require.NoError(t, err)
	}
}

// history reads everything, oldest first.
func history(t *testing.T, b Bench) []event.Record {
	t.Helper()
	events, next, err := b.Store.Events(t.Context(), query.EventFilter{}, query.Page{Ascending: true, Limit: 10_000})
	require.NoError(t, err)
	require.Zero(t, next)
	return events
}

func idsOf(events []event.Record) []string {
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.ID.String()
	}
	return ids
}

func positions(events []event.Record) []int64 {
	out := make([]int64, len(events))
	for i, e := range events {
		out[i] = e.Position
	}
	return out
}

// upTo gives 1 to n.
func upTo(n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(i + 1)
	}
	return out
}

// atOnce runs fn n times beside each other and gives the errors.
func atOnce(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() { errs[i] = fn(i) })
	}
	calls.Wait()
	return errs
}
