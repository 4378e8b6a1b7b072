package natsjs

import (
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

func FuzzAddress(f *testing.F) {
	for _, seed := range []string{
		"nats://127.0.0.1:4222", "nats://user:pa@ss@a:1,b:2?creds=f", "tls://[::1]:4222", "nats://", "http://a", "nats://a/b",
		"nats://a?creds=a&creds=b", "nats://a?x=%zz", "nats://%zz@a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := parseAddress(raw)
		if err == nil && (a.servers == "" || !strings.HasPrefix(raw, "nats://") && !strings.HasPrefix(raw, "tls://")) {
			t.Fatalf("%q is read as %+v", raw, a)
		}
		// A password has nothing to do in an error.
		user, _, found := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(raw, "nats://"), "tls://"), "@")
		if _, password, given := strings.Cut(user, ":"); err != nil && found && given && len(password) > 8 && strings.Contains(err.Error(),
			password) {
			t.Fatalf("%q: %v", raw, err)
		}
	})
}

// FuzzDelivery takes whatever headers a stranger sent, and sends on what may be sent.
func FuzzDelivery(f *testing.F) {
	f.Add("ce-id", "a", "ce-type", "user.created.v1", []byte("{}"))
	f.Add("Nats-Msg-Id", "x", "_watermill_message_uuid", "\xff", []byte(nil))
	f.Add("", "\r\n", "a b", "\x00", []byte("\xff"))
	f.Fuzz(func(t *testing.T, key, value, other, twice string, data []byte) {
		m := &nats.Msg{Subject: "events.a", Header: nats.Header{key: {value, twice}, other: {twice}}, Data: data}
		msg := unmarshal(m, &nats.MsgMetadata{Stream: "EVENTS", Sequence: nats.SequencePair{Stream: 7}})
		if _, err := uuid.Parse(msg.UUID); err != nil || string(msg.Payload) != string(data) {
			t.Fatalf("%q with %q", msg.UUID, msg.Payload)
		}
		for name := range msg.Metadata {
			if strings.HasPrefix(name, "Nats-") {
				t.Fatalf("a handler sees %q", name)
			}
		}
		sent, err := marshal("events.a", &message.Message{UUID: msg.UUID, Metadata: msg.Metadata, Payload: msg.Payload})
		if err == nil && string(sent.Data) != string(data) {
			t.Fatalf("%q goes on as %q", data, sent.Data)
		}
	})
}
