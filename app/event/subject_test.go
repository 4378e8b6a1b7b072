package event_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
)

func TestRecordIsWhatItsSubjectSays(t *testing.T) {
	t.Parallel()
	const id = "01a20555-7237-7f40-9b36-44fec54a3d95"
	for name, c := range map[string]struct {
		subject, claimedType, claimedSource string

		wantType, wantSource, mark string
	}{
		"as it is":          {"events.order.placed.v1", "order.placed.v1", "/millrace/order", "order.placed.v1", "/millrace/order", ""},
		"claims nothing":    {"events.order.placed.v1", "", "", "order.placed.v1", "", ""},
		"a client's":        {"events.invoice.sent.v1", "invoice.sent.v1", "/shop", "invoice.sent.v1", "/shop", ""},
		"registered here":   {"events.invoice.sent.v1", "invoice.sent.v1", "/millrace/event", "invoice.sent.v1", "/millrace/event", ""},
		"requeued, unknown": {"requeue.event-history", "order.placed.v1", "/millrace/order", "order.placed.v1", "/millrace/order", ""},
		"another type": {"events.order.placed.v1", "order.deleted.v1", "/millrace/order", "order.placed.v1", "/millrace/order",
			"events.order.placed.v1: ce-type"},
		"another service": {"events.user.created.v1", "order.placed.v1", "/millrace/order", "user.created.v1", "/millrace/user",
			"events.user.created.v1: ce-type, ce-source"},
		"a client as a service": {"events.invoice.sent.v1", "", "/millrace/order", "invoice.sent.v1", "", "events.invoice.sent.v1: ce-source"},
	} {
		metadata := map[string]string{"ce-type": c.claimedType, "ce-source": c.claimedSource}
		r := event.NewRecord(event.Message{ID: id, Subject: c.subject, Metadata: metadata}, now)
		require.Equal(t, c.wantType, r.Type, name)
		require.Equal(t, c.wantSource, r.Source, name)
		require.Equal(t, uuid.MustParse(id), r.ID, name)
		require.Equal(t, c.mark, r.Metadata[event.MetaMismatch], name)
		require.Equal(t, c.claimedSource, r.Metadata["ce-source"], "%s: the claim stays visible", name)
		require.NotContains(t, metadata, event.MetaMismatch, "%s: the message is left alone", name)
	}
}

func TestRightsChangeOnlyByTheSubjectsOfTheUserService(t *testing.T) {
	t.Parallel()
	const id = "01a20555-7237-7f40-9b36-44fec54a3d95"
	for subject, want := range map[string]bool{
		"events.user.deleted.v1": true, "requeue.event-history": true,
		"events.order.placed.v1": false, "events.user.created.v1": false, "events.invoice.sent.v1": false,
	} {
		r := event.NewRecord(event.Message{ID: uuid.NewString(), Subject: subject, Metadata: map[string]string{
			envelope.MetaType: contract.TypeUserDeleted, envelope.MetaSource: contract.SourceUser,
			envelope.MetaPartitionKey: id, envelope.MetaSequence: "2",
		}, Data: []byte(`{"id":"` + id + `","role":"user","version":2}`)}, now)
		_, ok := event.UserChangeOf(r)
		require.Equal(t, want, ok, subject)
	}
}
