package contract_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
)

var (
	created   = time.Date(2026, 3, 1, 11, 0, 0, 123_456_000, time.UTC)
	updated   = time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	cancelled = time.Date(2026, 3, 1, 12, 30, 0, 7_000, time.UTC)
)

func someUser() contract.User {
	return contract.User{ID: "0195a1f0-7c1d-7e64-9a43-0d6f1b7c2e98", Role: "publisher", Version: 3, CreatedAt: created, UpdatedAt: updated}
}

func someOrder() contract.Order {
	return contract.Order{
		ID: "0195a1f3-2b1c-7f00-8a11-5d2c7e9f0a01", UserID: "0195a1f0-7c1d-7e64-9a43-0d6f1b7c2e98", Status: "placed",
		Items:    []contract.OrderItem{{SKU: "book", Quantity: 2, UnitPrice: 1250}, {SKU: "pen/blue", Quantity: 1, UnitPrice: 0}},
		Currency: "EUR", Total: 2500, Version: 3, CreatedAt: created, UpdatedAt: updated,
	}
}

func cancelledOrder() contract.Order {
	o := someOrder()
	o.Status, o.CancelledAt = "cancelled", &cancelled
	return o
}

// published are all events, under the names of their golden files.
func published() map[string]contract.Event {
	return map[string]contract.Event{
		"user.created.v1":              contract.UserCreated{User: someUser()},
		"user.updated.v1":              contract.UserUpdated{User: someUser()},
		"user.deleted.v1":              contract.UserDeleted{User: someUser()},
		"order.placed.v1":              contract.OrderPlaced{Order: someOrder()},
		"order.updated.v1":             contract.OrderUpdated{Order: someOrder()},
		"order.cancelled.v1":           contract.OrderCancelled{Order: cancelledOrder(), Reason: contract.ReasonUserDeleted},
		"order.cancelled.v1-no-reason": contract.OrderCancelled{Order: cancelledOrder()},
		"order.deleted.v1":             contract.OrderDeleted{Order: cancelledOrder()},
	}
}

func golden(t *testing.T, name string) string {
	t.Helper()
	bytes, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return strings.TrimSuffix(string(bytes), "\n")
}

// A golden file is never changed: what was published is out there. A new optional field gets a new file beside the old one, which must
// still decode.
func TestEventsKeepTheirBytes(t *testing.T) {
	t.Parallel()
	for name, event := range published() {
		data, err := json.Marshal(event)
		require.NoError(t, err)
		require.Equal(t, golden(t, name+".json"), string(data), name)
		typ, _, _ := strings.Cut(name, "-")
		require.Equal(t, typ, event.Type())
		require.Equal(t, "events."+typ, envelope.Topic(event.Type()))
	}
	require.Equal(t, someUser().ID, contract.UserDeleted{User: someUser()}.Key())
	require.Equal(t, someOrder().ID, contract.OrderDeleted{Order: someOrder()}.Key())
}

func TestNoEventCarriesPersonalData(t *testing.T) {
	t.Parallel()
	for name := range published() {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(golden(t, name+".json")), &fields))
		for _, personal := range []string{"email", "name", "note", "password_hash"} {
			require.NotContains(t, fields, personal, name)
		}
	}
}

func decodes[T contract.Event](t *testing.T, name string, want T) {
	t.Helper()
	got, err := contract.Decode[T](envelope.Envelope{Data: []byte(golden(t, name+".json"))})
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestGoldenEventsDecode(t *testing.T) {
	t.Parallel()
	decodes(t, "user.created.v1", contract.UserCreated{User: someUser()})
	decodes(t, "user.updated.v1", contract.UserUpdated{User: someUser()})
	decodes(t, "user.deleted.v1", contract.UserDeleted{User: someUser()})
	decodes(t, "order.placed.v1", contract.OrderPlaced{Order: someOrder()})
	decodes(t, "order.updated.v1", contract.OrderUpdated{Order: someOrder()})
	decodes(t, "order.cancelled.v1", contract.OrderCancelled{Order: cancelledOrder(), Reason: contract.ReasonUserDeleted})
	decodes(t, "order.cancelled.v1-no-reason", contract.OrderCancelled{Order: cancelledOrder()})
	decodes(t, "order.deleted.v1", contract.OrderDeleted{Order: cancelledOrder()})
}

func TestDecode(t *testing.T) {
	t.Parallel()
	got, err := contract.Decode[contract.UserUpdated](envelope.Envelope{Data: []byte(`{"id":"x","role":"user","colour":"red","version":9}`)})
	require.NoError(t, err, "types gain fields")
	require.Equal(t, contract.UserUpdated{User: contract.User{ID: "x", Role: "user", Version: 9}}, got)

	for _, data := range []string{``, `{`, `[]`, `"x"`, `{"version":"nine"}`, `{"created_at":"yesterday"}`, "\xff"} {
		_, err := contract.Decode[contract.UserUpdated](envelope.Envelope{Data: []byte(data)})
		require.ErrorIs(t, err, envelope.ErrUndecodable, data)
		require.Equal(t, fault.Invalid, fault.KindOf(err), "it is never retried")
	}
}

func someEnvelope() envelope.Envelope {
	return envelope.Envelope{
		ID: "0195a1f3-2b1d-7a00-b111-5d2c7e9f0a02", Type: contract.TypeOrderPlaced, Source: contract.SourceOrder,
		Key: "0195a1f3-2b1c-7f00-8a11-5d2c7e9f0a01", Sequence: 42, Time: cancelled, CorrelationID: "request-1",
		CausationID: "0195a1f3-2b1d-7a00-b111-5d2c7e9f0a03", Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		Data: []byte(`{}`),
	}
}

func TestMetadataKeepsItsBytes(t *testing.T) {
	t.Parallel()
	bare := envelope.Envelope{
		ID: someEnvelope().ID, Type: contract.TypeOrderPlaced, Source: contract.SourceOrder, Key: someEnvelope().Key,
		Time: cancelled.In(time.FixedZone("", 3600)),
	}
	for name, e := range map[string]envelope.Envelope{"metadata.json": someEnvelope(), "metadata-bare.json": bare} {
		encoded, err := json.MarshalIndent(e.Metadata(), "", "  ")
		require.NoError(t, err)
		require.Equal(t, golden(t, name), string(encoded), name)
	}
}

func TestEnvelopeComesBackFromItsMetadata(t *testing.T) {
	t.Parallel()
	e := someEnvelope()
	require.Equal(t, e, envelope.Parse(e.ID, e.Metadata(), e.Data))
}

func TestParseEnvelopeTakesWhatAForeignPublisherSends(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		metadata map[string]string
		want     envelope.Envelope
	}{
		"nothing":               {nil, envelope.Envelope{ID: "x"}},
		"a subject alone":       {map[string]string{"ce-subject": "k"}, envelope.Envelope{ID: "x", Key: "k"}},
		"a key beats a subject": {map[string]string{"ce-subject": "s", "ce-partitionkey": "k"}, envelope.Envelope{ID: "x", Key: "k"}},
		"a short sequence":      {map[string]string{"ce-sequence": "7"}, envelope.Envelope{ID: "x", Sequence: 7}},
		"a sequence of letters": {map[string]string{"ce-sequence": "seven"}, envelope.Envelope{ID: "x"}},
		"a negative sequence":   {map[string]string{"ce-sequence": "-7"}, envelope.Envelope{ID: "x"}},
		"a time of another zone": {
			map[string]string{"ce-time": "2026-03-01T12:00:00.123456+01:00"}, envelope.Envelope{ID: "x", Time: created},
		},
		"a time that is none": {map[string]string{"ce-time": "noon"}, envelope.Envelope{ID: "x"}},
	} {
		require.Equal(t, c.want, envelope.Parse("x", c.metadata, nil), name)
	}
}
