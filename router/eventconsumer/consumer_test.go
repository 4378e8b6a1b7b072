package eventconsumer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/adapters/eventsql"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/delivery"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/command"
	"github.com/millrace/millrace/app/event/query"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/router/eventconsumer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type bench struct {
	*eventconsumer.Consumer

	store     *eventsql.Store
	sequencer *eventconsumer.Sequencer
}

func setup(t *testing.T, cfg eventconsumer.SequencerConfig) bench {
	t.Helper()
	db := sqldbtest.Open(t, "sqlite:", eventsql.Migrations)
	outbox := sqldb.NewOutbox(db, sqldb.OutboxConfig{Source: contract.SourceEvent, NewID: uuid.New, Now: time.Now})
	store := eventsql.NewStore(db, outbox, envelope.RequeueKey{})
	return on(store, store, cfg)
}

// on makes a consumer whose sequencer works on a store of its own.
func on(store *eventsql.Store, sequenced command.Store, cfg eventconsumer.SequencerConfig) bench {
	now := func() time.Time { return begin }
	sequencer := eventconsumer.NewSequencer(command.NewAssignPositionsHandler(sequenced, time.Now), cfg)
	c := eventconsumer.New(command.NewRecordEventHandler(store, now), command.NewStorePoisonHandler(store, now), sequencer)
	return bench{c, store, sequencer}
}

// run runs the sequencer until the test ends.
func (b bench) run(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.sequencer.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
}

func (b bench) history(t *testing.T) []event.Record {
	t.Helper()
	events, _, err := b.store.Events(t.Context(), query.EventFilter{}, query.Page{Ascending: true, Limit: 1000})
	require.NoError(t, err)
	return events
}

// eventually waits until the history has n events.
func (b bench) eventually(t *testing.T, n int) []event.Record {
	t.Helper()
	require.Eventually(t, func() bool { return len(b.history(t)) == n }, 10*time.Second, time.Millisecond)
	return b.history(t)
}

func arrived(t *testing.T, subject string, metadata map[string]string, payload []byte) *message.Message {
	t.Helper()
	msg := message.NewMessage(uuid.NewString(), payload)
	msg.Metadata = metadata
	msg.SetContext(delivery.With(t.Context(), &delivery.Delivery{Consumer: eventconsumer.History, Subject: subject, Count: 1}))
	return msg
}

func TestRecordedEventIsSeenWithoutWaitingForThePoll(t *testing.T) {
	t.Parallel()
	b := setup(t, eventconsumer.SequencerConfig{Poll: time.Hour})
	b.run(t)
	for n := range 20 {
		msg := arrived(t, "events.foreign.thing", map[string]string{"own": "x"}, []byte{0xff, 0})
		require.NoError(t, b.Record(msg))
		e := b.eventually(t, n+1)[n]
		require.Equal(t, "foreign.thing", e.Type)
		require.Equal(t, msg.UUID, e.ID.String())
		require.Equal(t, []byte{0xff, 0}, e.Data)
	}
}

func TestEventLeftByACrashedReplicaIsSeenAfterThePoll(t *testing.T) {
	t.Parallel()
	b := setup(t, eventconsumer.SequencerConfig{Poll: 20 * time.Millisecond})
	other := on(b.store, b.store, eventconsumer.SequencerConfig{}) // its sequencer never runs
	b.run(t)
	require.NoError(t, other.Record(arrived(t, "events.a", nil, nil)))
	b.eventually(t, 1)
}

// failing is a store that is away for a while.
type failing struct {
	command.Store

	away  atomic.Bool
	asked atomic.Int64
}

func (f *failing) Unpositioned(ctx context.Context) (bool, error) {
	f.asked.Add(1)
	if f.away.Load() {
		return false, fault.New(fault.Unavailable, "database_away", "away").Because(errors.New("no route"))
	}
	return f.Store.Unpositioned(ctx)
}

func TestSequencerOutlivesItsDatabaseBeingAway(t *testing.T) {
	t.Parallel()
	b := setup(t, eventconsumer.SequencerConfig{})
	broken := &failing{Store: b.store}
	broken.away.Store(true)
	b = on(b.store, broken, eventconsumer.SequencerConfig{Poll: 10 * time.Millisecond, Pause: time.Microsecond})
	b.run(t)
	require.NoError(t, b.Record(arrived(t, "events.a", nil, nil)))
	require.Eventually(t, func() bool { return broken.asked.Load() >= 3 }, 10*time.Second, time.Millisecond)
	require.Empty(t, b.history(t))
	broken.away.Store(false)
	b.eventually(t, 1)
}

func TestBatchesKeepTheirDistance(t *testing.T) {
	t.Parallel()
	const pause = 30 * time.Millisecond
	b := setup(t, eventconsumer.SequencerConfig{})
	counted := &failing{Store: b.store}
	b = on(b.store, counted, eventconsumer.SequencerConfig{Poll: time.Hour, Pause: pause})
	started := time.Now()
	b.run(t)
	for range 100 {
		require.NoError(t, b.Record(arrived(t, "events.a", nil, nil)))
	}
	b.eventually(t, 100)
	require.LessOrEqual(t, counted.asked.Load(), int64(time.Since(started)/pause)+1)
}

func TestPoisonIsStoredWithWhatItsConsumerSaid(t *testing.T) {
	t.Parallel()
	b := setup(t, eventconsumer.SequencerConfig{})
	id := uuid.New()
	msg := arrived(t, "poison.order-customers", map[string]string{
		envelope.MetaType: contract.TypeUserCreated, envelope.MetaPartitionKey: "key",
		envelope.MetaPoisonID: id.String(), envelope.MetaPoisonConsumer: "order-customers", envelope.MetaPoisonSubject: "events.user.created.v1",
		envelope.MetaPoisonReason: "undecodable", envelope.MetaPoisonAttempts: "12", envelope.MetaRound: "2",
		envelope.MetaPoisonFirst: "2026-03-01T10:00:00.5Z", envelope.MetaPoisonLast: "2026-03-01T11:00:00Z",
	}, []byte("raw"))
	require.NoError(t, b.StorePoison(msg))
	require.NoError(t, b.StorePoison(msg))
	p, err := b.store.PoisonMessage(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "order-customers", p.Consumer)
	require.Equal(t, "events.user.created.v1", p.Subject)
	require.Equal(t, "undecodable", p.Reason)
	require.Equal(t, "key", p.Key)
	require.Equal(t, msg.UUID, p.EventID.String())
	require.Equal(t, 12, p.Attempts)
	require.Equal(t, 2, p.Round)
	require.Equal(t, begin.Add(-2*time.Hour+500*time.Millisecond), p.FirstFailedAt)
	require.Equal(t, begin.Add(-time.Hour), p.LastFailedAt)
	require.Equal(t, []byte("raw"), p.Data)
	require.Equal(t, map[string]string(msg.Metadata), p.Metadata)
}

func TestPoisonOfAStrangerIsStored(t *testing.T) {
	t.Parallel()
	b := setup(t, eventconsumer.SequencerConfig{})
	msg := arrived(t, "poison.somebody", map[string]string{
		envelope.MetaPoisonAttempts: "many", envelope.MetaPoisonFirst: "once", envelope.MetaPoisonID: "none",
		envelope.MetaRound: "99999999999999999999",
	}, nil)
	require.NoError(t, b.StorePoison(msg))
	require.NoError(t, b.StorePoison(msg))
	poison, _, err := b.store.Poison(t.Context(), query.PoisonFilter{}, nil, 10)
	require.NoError(t, err)
	require.Len(t, poison, 1)
	require.Equal(t, "somebody", poison[0].Consumer)
	require.Equal(t, begin, poison[0].FirstFailedAt)
	require.Zero(t, poison[0].Round)
}

func TestFailureToRecordIsTheRoutersMatter(t *testing.T) {
	t.Parallel()
	b := setup(t, eventconsumer.SequencerConfig{})
	msg := arrived(t, "events.a", nil, nil)
	ctx, cancel := context.WithCancel(msg.Context())
	cancel()
	msg.SetContext(ctx)
	require.ErrorIs(t, b.Record(msg), context.Canceled)
	require.ErrorIs(t, b.StorePoison(msg), context.Canceled)
}

func TestConsumerThatGaveUpIsTheSubjectsWhateverMetadataClaims(t *testing.T) {
	t.Parallel()
	b := setup(t, eventconsumer.SequencerConfig{})
	msg := arrived(t, "poison.order-customers", map[string]string{envelope.MetaPoisonConsumer: eventconsumer.History}, nil)
	require.NoError(t, b.StorePoison(msg))
	poison, _, err := b.store.Poison(t.Context(), query.PoisonFilter{}, nil, 10)
	require.NoError(t, err)
	require.Len(t, poison, 1)
	require.Equal(t, "order-customers", poison[0].Consumer)
}

func TestRequeuedEventIsJudgedByTheSubjectThatItCameOnFirst(t *testing.T) {
	t.Parallel()
	b := setup(t, eventconsumer.SequencerConfig{})
	b.run(t)
	require.NoError(t, b.Record(arrived(t, "requeue.event-history", map[string]string{
		envelope.MetaPoisonSubject: "events.order.placed.v1", envelope.MetaType: contract.TypeUserDeleted,
		envelope.MetaSource: contract.SourceUser,
	}, nil)))
	e := b.eventually(t, 1)[0]
	require.Equal(t, contract.TypeOrderPlaced, e.Type)
	require.Equal(t, contract.SourceOrder, e.Source)
}
