package contract_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
)

func FuzzEnvelope(f *testing.F) {
	f.Add("id", "order.placed.v1", "/millrace/order", "key", "00000000000000000007", "2026-03-01T12:00:00.123456Z")
	f.Add("", "", "", "", "-1", "noon")
	f.Add("x", "\x00", "\xff", "", "99999999999999999999", "9999-12-31T23:59:59.999999999+23:59")
	f.Fuzz(func(t *testing.T, id, kind, source, key, sequence, at string) {
		e := envelope.Parse(id, map[string]string{
			envelope.MetaType: kind, envelope.MetaSource: source, envelope.MetaPartitionKey: key, envelope.MetaSequence: sequence,
			envelope.MetaTime: at,
		}, nil)
		if e.Sequence < 0 {
			t.Fatalf("sequence %q is read as %d", sequence, e.Sequence)
		}
		if again := envelope.Parse(id, e.Metadata(), nil); !e.Time.IsZero() && e.Time.Year() < 10_000 && !reflect.DeepEqual(e, again) {
			t.Fatalf("%+v comes back as %+v", e, again)
		}
	})
}

// FuzzPayload reads every type of event from anything.
func FuzzPayload(f *testing.F) {
	files, err := filepath.Glob("testdata/*.v1*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // our own golden files
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("\xff"))
	f.Add([]byte(`{"total":1e400,"items":null,"created_at":"never"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		decoded[contract.UserCreated](t, data)
		decoded[contract.UserUpdated](t, data)
		decoded[contract.UserDeleted](t, data)
		decoded[contract.OrderPlaced](t, data)
		decoded[contract.OrderUpdated](t, data)
		decoded[contract.OrderCancelled](t, data)
		decoded[contract.OrderDeleted](t, data)
	})
}

// decoded asks that data is refused as what it is, or read so that it says the same when it is written again.
func decoded[T contract.Event](t *testing.T, data []byte) {
	t.Helper()
	event, err := contract.Decode[T](envelope.Envelope{Data: data})
	if err != nil {
		if !errors.Is(err, envelope.ErrUndecodable) {
			t.Fatalf("%q: %v", data, err)
		}
		return
	}
	written, err := json.Marshal(event)
	if err != nil {
		return // a year beyond 9999 can be read and not written
	}
	again, err := contract.Decode[T](envelope.Envelope{Data: written})
	if err != nil || again.Key() != event.Key() {
		t.Fatalf("%q comes back as %q: %v", data, written, err)
	}
}
