package envelope_test

import (
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/millrace/millrace/app/envelope"
)

func FuzzIdentity(f *testing.F) {
	f.Add("", "", "", uint64(7))
	f.Add("A-17", "018F3B1C-9C3A-7C1E-8B56-0A4C5D9E2F10", "/shop", uint64(1))
	f.Add("{018f3b1c-9c3a-7c1e-8b56-0a4c5d9e2f10}", "\xff", "\x00", uint64(0))
	f.Fuzz(func(t *testing.T, name, id, source string, sequence uint64) {
		metadata := map[string]string{"ce-id": id, "ce-source": source}
		given := envelope.Identity(name, metadata, "EVENTS", sequence)
		if parsed, err := uuid.Parse(given); err != nil || parsed.String() != given || envelope.Identity(name, metadata, "EVENTS",
			sequence) != given {
			t.Fatalf("%q of %q is %q", name, id, given)
		}
	})
}

// FuzzCheck asks that nothing is let onto the wire that would arrive as something else.
func FuzzCheck(f *testing.F) {
	for _, seed := range [][4]string{
		{"events.order.placed.v1", "id", "key", "value"}, {"events.>", "id", "k", "v"}, {"events..a", "", "Nats-Rollup", "all"}, {"poison.a",
			"id", "a:b", "c\r\nd: e"},
		{"requeue.x y", "id", "", " v"}, {"EVENTS.a", "id", "k", "\x00"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, topic, id, key, value string) {
		msg := message.NewMessage(id, nil)
		msg.Metadata.Set(key, value)
		if _, err := envelope.Check(topic, id, map[string]string{key: value}); err != nil {
			return
		}
		if strings.ContainsAny(topic, " \t\r\n*>\x00") || strings.ContainsAny(key, " :\r\n\x00") || strings.ContainsAny(value+id, "\r\n\x00") {
			t.Fatalf("%q %q: %q is let through on %q", id, key, value, topic)
		}
	})
}
