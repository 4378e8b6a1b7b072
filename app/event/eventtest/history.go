package eventtest

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/command"
)

func recordedOnce(t *testing.T, b Bench) {
	m := order(uuid.New(), 1)
	h := command.NewRecordEventHandler(b.Store, now)
	for _, err := range atOnce(32, func(int) error { return h.Handle(t.Context(), command.RecordEvent{Message: m}) }) {
		require.NoError(t, err)
	}
	assign(t, b)
	record(t, b, m)
	assign(t, b)

	events := history(t, b)
	require.Len(t, events, 1)
	stored, err := b.Store.Event(t.Context(), uuid.MustParse(m.ID))
	require.NoError(t, err)
	want := event.NewRecord(m, begin)
	want.Position = 1
	require.Empty(t, cmp.Diff(want, stored))
	want.Metadata = nil
	require.Empty(t, cmp.Diff(want, events[0]), "in a list")
}

func twoSources(t *testing.T, b Bench) {
	first, second := order(uuid.New(), 1), order(uuid.New(), 1)
	second.ID, second.Subject, second.Metadata[envelope.MetaType] = first.ID, "events.invoice.sent.v1", "invoice.sent.v1"
	second.Metadata[envelope.MetaID], second.Metadata[envelope.MetaSource] = first.ID, "/elsewhere"
	record(t, b, first, second, first, second)
	assign(t, b)

	require.Len(t, history(t, b), 2)
	e, err := b.Store.Event(t.Context(), uuid.MustParse(first.ID))
	require.NoError(t, err)
	require.Equal(t, contract.SourceOrder, e.Source, "the one recorded first answers")
}

// foreign are messages that nobody of ours would publish. Each has data of its own.
func foreign() map[string]event.Message {
	long := strings.Repeat("ü", 3000)
	with := func(data []byte, metadata map[string]string) event.Message {
		return event.Message{ID: uuid.NewString(), Subject: "events.foreign.thing", Metadata: metadata, Data: data}
	}
	return map[string]event.Message{
		"nothing":           with(nil, nil),
		"no metadata":       with([]byte("plain text"), nil),
		"broken JSON":       with([]byte(`{"id": `), map[string]string{envelope.MetaType: contract.TypeUserCreated}),
		"no UTF-8":          with([]byte{0xff, 0xfe, 0x00, 0x80, '\'', '\\', '"', 0x1a}, map[string]string{envelope.MetaSource: "a'b\\c"}),
		"attributes binary": with([]byte("x"), map[string]string{envelope.MetaSource: "\xff\xfe", envelope.MetaPartitionKey: "\x00\x80'"}),
		"large":             with(bytes.Repeat([]byte{0, 1, 2, 0xff}, 200_000), nil),
		"long attributes": with([]byte("y"), map[string]string{
			envelope.MetaType: long, envelope.MetaSource: long, envelope.MetaPartitionKey: long,
			envelope.MetaCorrelation: long, envelope.MetaCausation: long, "own": long,
		}),
		"nonsense": with([]byte("z"), map[string]string{
			envelope.MetaSequence: "-7", envelope.MetaTime: "yesterday", envelope.MetaSpecVersion: "9", "": "", "a key": "a\tvalue",
		}),
	}
}

func foreignMessages(t *testing.T, b Bench) {
	for name, m := range foreign() {
		record(t, b, m, m)
		assign(t, b)
		e, err := b.Store.Event(t.Context(), uuid.MustParse(m.ID))
		require.NoError(t, err, name)
		require.Equal(t, string(m.Data), string(e.Data), name)
		require.Equal(t, event.NewRecord(m, begin).Source, e.Source, name)
		require.Equal(t, event.NewRecord(m, begin).Key, e.Key, name)
		if name == "attributes binary" {
			continue // JSON keeps the metadata, and knows no bytes
		}
		delete(e.Metadata, event.MetaMismatch)
		require.Len(t, e.Metadata, len(m.Metadata), name)
		for k, v := range m.Metadata {
			require.Equal(t, v, e.Metadata[k], name)
		}
	}
	require.Equal(t, upTo(len(foreign())), positions(history(t, b)))
}

func cancelledRecording(t *testing.T, b Bench) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := command.NewRecordEventHandler(b.Store, now).Handle(ctx, command.RecordEvent{Message: order(uuid.New(), 1)})
	require.ErrorIs(t, err, context.Canceled)
	waiting, err := b.Store.Unpositioned(t.Context())
	require.NoError(t, err)
	require.False(t, waiting)
}

func farFuture(t *testing.T, b Bench) {
	m := order(uuid.New(), 1)
	m.Metadata[envelope.MetaTime] = "9999-12-31T23:59:59-23:00"
	record(t, b, m)
	assign(t, b)
	events := history(t, b)
	require.Len(t, events, 1)
	_, err := events[0].Time.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, begin, events[0].Time.Truncate(time.Second))
}
