package eventtest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/command"
	"github.com/millrace/millrace/app/event/query"
	"github.com/millrace/millrace/app/outbox"
)

// poisoned makes a message about a user that consumer gave up.
func poisoned(eventID, consumer string, round int) command.StorePoison {
	key := uuid.NewString()
	metadata := envelope.Envelope{
		ID: eventID, Type: contract.TypeUserCreated, Source: contract.SourceUser, Key: key, Sequence: 1, Time: begin, CorrelationID: "corr",
	}.Metadata()
	metadata["own"] = "value"
	metadata[envelope.MetaPoisonConsumer] = consumer
	metadata[envelope.MetaPoisonStack] = "goroutine 1"
	return command.StorePoison{
		Message: event.Message{ID: eventID, Subject: "poison." + consumer, Metadata: metadata, Data: []byte("not \x00 JSON")},
		GivenUp: event.GivenUp{
			ID: uuid.NewString(), Consumer: consumer, Subject: envelope.Topic(contract.TypeUserCreated), Reason: "cannot read it",
			Attempts: 3, Round: round, First: begin, Last: begin.Add(time.Minute),
		},
	}
}

func store(t *testing.T, b Bench, commands ...command.StorePoison) {
	t.Helper()
	h := command.NewStorePoisonHandler(b.Store, now)
	for _, c := range commands {
		require.NoError(t, h.Handle(t.Context(), c))
	}
}

func requeue(t *testing.T, b Bench, id uuid.UUID) error {
	t.Helper()
	p, err := command.NewRequeuePoisonHandler(b.Store).Handle(t.Context(), command.RequeuePoison{ID: id})
	if err == nil {
		require.Equal(t, event.StatusRequeued, p.Status)
	}
	return err
}

func poisonQueue(t *testing.T, b Bench) []event.Poison {
	t.Helper()
	poison, more, err := b.Store.Poison(t.Context(), query.PoisonFilter{}, nil, 1000)
	require.NoError(t, err)
	require.False(t, more)
	slices.SortFunc(poison, func(a, b event.Poison) int { return int(a.Number - b.Number) })
	return poison
}

func sentBack(t *testing.T, b Bench) []outbox.Pending {
	t.Helper()
	pending, _, err := b.Outbox.Pending(t.Context(), envelope.Prefixes(), 0, 100)
	require.NoError(t, err)
	return pending
}

func poisonStoredOnce(t *testing.T, b Bench) {
	c := poisoned(uuid.NewString(), "order-customers", 0)
	h := command.NewStorePoisonHandler(b.Store, now)
	require.NoError(t, errors.Join(atOnce(32, func(int) error { return h.Handle(t.Context(), c) })...))
	stored := poisonQueue(t, b)
	require.Len(t, stored, 1)
	want := event.NewPoison(c.Message, c.GivenUp, begin)
	want.Number = stored[0].Number
	require.Empty(t, cmp.Diff(want, stored[0]))
}

func foreignPoison(t *testing.T, b Bench) {
	for name, m := range foreign() {
		m.Subject = "poison.who"
		own := m.Metadata["own"]
		c := command.StorePoison{Message: m, GivenUp: event.GivenUp{Consumer: "who", Reason: own + "\xff'", Subject: own}}
		store(t, b, c, c)
		p, err := b.Store.PoisonMessage(t.Context(), event.NewPoison(m, c.GivenUp, begin).ID)
		require.NoError(t, err, name)
		require.Equal(t, string(m.Data), string(p.Data), name)
		require.Equal(t, event.StatusOpen, p.Status)
	}
	require.Len(t, poisonQueue(t, b), len(foreign()))
}

func poisonInOutcomes(t *testing.T, b Bench) {
	c := poisoned(uuid.NewString(), "order-customers", 0)
	stranger := poisoned(c.Message.ID, "order-customers", 0)
	stranger.Message.Metadata[envelope.MetaSource] = "/elsewhere"
	store(t, b, c, stranger)
	record(t, b, c.Message)
	assign(t, b)
	e, err := query.NewEventByIDHandler(b.Store, "event-history").Handle(t.Context(), query.EventByID{ID: uuid.MustParse(c.Message.ID)})
	require.NoError(t, err)
	require.Equal(t, []event.Outcome{
		{Consumer: "event-history", Outcome: event.OutcomeRecorded, Attempt: 1, At: begin},
		{Consumer: "order-customers", Outcome: event.OutcomePoisoned, Attempt: 3, At: begin.Add(time.Minute)},
	}, e.Outcomes)
}

func requeuedOnce(t *testing.T, b Bench) {
	c := poisoned(uuid.NewString(), "order-customers", 0)
	store(t, b, c)
	id := uuid.MustParse(c.GivenUp.ID)
	succeeded := 0
	for _, err := range atOnce(16, func(int) error { return requeue(t, b, id) }) {
		if err == nil {
			succeeded++
			continue
		}
		require.ErrorIs(t, err, event.ErrPoisonNotOpen)
	}
	require.Equal(t, 1, succeeded)
	require.Len(t, sentBack(t, b), 1)
	require.Equal(t, event.StatusRequeued, poisonQueue(t, b)[0].Status)
}

func requeuedMessage(t *testing.T, b Bench) {
	c := poisoned(uuid.NewString(), "order-customers", 2)
	c.Message.Metadata[envelope.MetaRound] = "2"
	bare := poisoned(uuid.NewString(), "event-history", 0)
	bare.Message.Metadata = map[string]string{envelope.MetaPoisonReason: "r", envelope.MetaDeduplicationID: "d"}
	store(t, b, c, bare)
	require.NoError(t, requeue(t, b, uuid.MustParse(c.GivenUp.ID)))
	require.NoError(t, requeue(t, b, uuid.MustParse(bare.GivenUp.ID)))

	sent := sentBack(t, b)
	require.Len(t, sent, 2)
	want := event.NewPoison(c.Message, c.GivenUp, begin)
	require.Equal(t, "requeue.order-customers", sent[0].Topic)
	require.Equal(t, want.RequeueID().String(), sent[0].MessageID)
	require.NotEqual(t, c.Message.ID, sent[0].MessageID, "the broker has seen the event's ID")
	require.Equal(t, c.Message.Data, sent[0].Payload)
	metadata := envelope.Envelope{
		ID: c.Message.ID, Type: contract.TypeUserCreated, Source: contract.SourceUser, Key: want.Key, Sequence: 1, Time: begin,
		CorrelationID: "corr",
	}.Metadata()
	metadata["own"], metadata[envelope.MetaRound], metadata[envelope.MetaRequeueOf] = "value", "3", want.ID.String()
	require.Equal(t, metadata, signed(t, b, sent[0]))

	require.Equal(t, "requeue.event-history", sent[1].Topic)
	require.Equal(t, map[string]string{
		envelope.MetaID: bare.Message.ID, envelope.MetaType: contract.TypeUserCreated, envelope.MetaRound: "1",
		envelope.MetaRequeueOf: bare.GivenUp.ID,
	}, signed(t, b, sent[1]), "what was told by subject and place in the stream is written down")
}

// signed requires that a row is signed as its consumer will get it, and returns its other metadata.
func signed(t *testing.T, b Bench, p outbox.Pending) map[string]string {
	t.Helper()
	metadata, err := p.Metadata()
	require.NoError(t, err)
	require.NotEmpty(t, metadata[envelope.MetaSignature])
	consumer, ok := strings.CutPrefix(p.Topic, envelope.RequeueTopic(""))
	require.True(t, ok, p.Topic)
	id := envelope.Identity(metadata[envelope.MetaID], metadata, envelope.StreamRequeue, 1)
	require.True(t, b.Key.Signed(consumer, id, metadata, p.Payload))
	require.False(t, b.Key.Signed("another", id, metadata, p.Payload), "the signature is for one consumer")
	delete(metadata, envelope.MetaSignature)
	return metadata
}

// unsigned is what a consumer says of a message that came to it on its requeue subject and was not signed.
func unsigned(sent command.StorePoison, claims map[string]string) command.StorePoison {
	c := sent
	c.Message.Metadata = maps.Clone(sent.Message.Metadata)
	maps.Copy(c.Message.Metadata, claims)
	c.GivenUp.ID, c.GivenUp.Subject, c.GivenUp.Reason = uuid.NewString(), envelope.RequeueTopic(sent.GivenUp.Consumer), "unsigned"
	return c
}

func requeuedUnsigned(t *testing.T, b Bench) {
	original := poisoned(uuid.NewString(), "order-customers", 0)
	store(t, b, original)
	require.NoError(t, requeue(t, b, uuid.MustParse(original.GivenUp.ID)))
	refused := unsigned(original, map[string]string{envelope.MetaRequeueOf: original.GivenUp.ID, "own": "forged"})
	store(t, b, refused)
	require.NoError(t, requeue(t, b, uuid.MustParse(refused.GivenUp.ID)))
	sent := sentBack(t, b)
	require.Len(t, sent, 2)
	require.NotEqual(t, sent[0].MessageID, sent[1].MessageID, "the broker would take it for a repeat")
	require.Equal(t, signed(t, b, sent[0]), signed(t, b, sent[1]), "what goes back is what the queue holds, not what came in its name")
}

func forgedRequeue(t *testing.T, b Bench) {
	original, open := poisoned(uuid.NewString(), "order-customers", 0), poisoned(uuid.NewString(), "order-customers", 0)
	store(t, b, original, open)
	require.NoError(t, requeue(t, b, uuid.MustParse(original.GivenUp.ID)))
	otherBytes := unsigned(original, map[string]string{envelope.MetaRequeueOf: original.GivenUp.ID})
	otherBytes.Message.Data = []byte(`{"role":"admin"}`)
	otherConsumer := unsigned(original, map[string]string{envelope.MetaRequeueOf: original.GivenUp.ID})
	otherConsumer.GivenUp.Consumer, otherConsumer.GivenUp.Subject = "event-history", "requeue.event-history"
	otherEvent := unsigned(original, map[string]string{envelope.MetaRequeueOf: original.GivenUp.ID})
	otherEvent.Message.ID = uuid.NewString()
	for name, forged := range map[string]command.StorePoison{
		"of nothing":                 unsigned(original, nil),
		"of what is none":            unsigned(original, map[string]string{envelope.MetaRequeueOf: "none"}),
		"of what there is not":       unsigned(original, map[string]string{envelope.MetaRequeueOf: uuid.NewString()}),
		"of what was never requeued": unsigned(open, map[string]string{envelope.MetaRequeueOf: open.GivenUp.ID}),
		"with other bytes":           otherBytes,
		"for another consumer":       otherConsumer,
		"of another event":           otherEvent,
	} {
		store(t, b, forged)
		require.ErrorIs(t, requeue(t, b, uuid.MustParse(forged.GivenUp.ID)), event.ErrNotRequeued, name)
	}
	require.Len(t, sentBack(t, b), 1, "none of them goes back")
}

func requeuedNonsense(t *testing.T, b Bench) {
	c := poisoned(uuid.NewString(), "order-customers", 0)
	c.Message.Metadata = map[string]string{envelope.MetaID: "\xff\xfe\x00z", envelope.MetaPartitionKey: "\xff\xff", "a key": "x\r\ny", "": "z"}
	store(t, b, c)
	require.NoError(t, requeue(t, b, uuid.MustParse(c.GivenUp.ID)))
	sent := sentBack(t, b)
	require.Len(t, sent, 1)
	got := signed(t, b, sent[0])
	require.Equal(t, c.Message.ID, got[envelope.MetaID], "it keeps the ID that it had here")
	msg := message.NewMessage(got[envelope.MetaID], sent[0].Payload)
	msg.Metadata = got
	_, err := envelope.Check(sent[0].Topic, msg.UUID, msg.Metadata)
	require.NoError(t, err, "a broker takes it")
}

func requeuedWithoutPayload(t *testing.T, b Bench) {
	c := poisoned(uuid.NewString(), "order-customers", 0)
	c.Message.Data, c.Message.Metadata[envelope.MetaPoisonOmitted] = nil, "metadata, payload"
	store(t, b, c)
	require.ErrorIs(t, requeue(t, b, uuid.MustParse(c.GivenUp.ID)), event.ErrPayloadOmitted)
	require.Empty(t, sentBack(t, b), "its consumer would take the empty payload for the event's")
	require.Equal(t, event.StatusOpen, poisonQueue(t, b)[0].Status)
}

func undoneRequeue(t *testing.T, b Bench) {
	c := poisoned(uuid.NewString(), "order-customers", 0)
	store(t, b, c)
	refused := errors.New("refused")
	err := b.Store.Atomically(t.Context(), func(ctx context.Context, tx command.Tx) error {
		p, err := tx.PoisonForUpdate(ctx, uuid.MustParse(c.GivenUp.ID))
		require.NoError(t, err)
		require.NoError(t, p.Requeue())
		require.NoError(t, tx.SetPoisonStatus(ctx, p))
		require.NoError(t, tx.SendBack(ctx, p, p.RequeueID()))
		return refused
	})
	require.ErrorIs(t, err, refused)
	require.Empty(t, sentBack(t, b))
	require.Equal(t, event.StatusOpen, poisonQueue(t, b)[0].Status)
}

func decisionStays(t *testing.T, b Bench) {
	c := poisoned(uuid.NewString(), "order-customers", 0)
	store(t, b, c)
	require.NoError(t, requeue(t, b, uuid.MustParse(c.GivenUp.ID)))
	store(t, b, c)
	stored := poisonQueue(t, b)
	require.Len(t, stored, 1)
	require.Equal(t, event.StatusRequeued, stored[0].Status)
}

func poisonWithoutConsumer(t *testing.T, b Bench) {
	for _, name := range []string{"", "*", "a.b", "a b", ">"} {
		c := poisoned(uuid.NewString(), name, 0)
		store(t, b, c)
		require.ErrorIs(t, requeue(t, b, uuid.MustParse(c.GivenUp.ID)), event.ErrNoConsumer)
	}
	require.Empty(t, sentBack(t, b))
	for _, p := range poisonQueue(t, b) {
		require.Equal(t, event.StatusOpen, p.Status)
	}
}

func nextRound(t *testing.T, b Bench) {
	first := poisoned(uuid.NewString(), "order-customers", 0)
	store(t, b, first)
	require.NoError(t, requeue(t, b, uuid.MustParse(first.GivenUp.ID)))
	second := first
	second.GivenUp.ID, second.GivenUp.Round = uuid.NewString(), 1
	store(t, b, second)
	require.NoError(t, requeue(t, b, uuid.MustParse(second.GivenUp.ID)))
	sent := sentBack(t, b)
	require.Len(t, sent, 2)
	require.NotEqual(t, sent[0].MessageID, sent[1].MessageID)
	once, err := sent[0].Metadata()
	require.NoError(t, err)
	twice, err := sent[1].Metadata()
	require.NoError(t, err)
	require.Equal(t, once[envelope.MetaID], twice[envelope.MetaID])
	require.Equal(t, "2", twice[envelope.MetaRound])
}
