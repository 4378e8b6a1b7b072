package brokertest

import (
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/delivery"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
)

// twice delivers a message twice and gives both deliveries.
func twice(t *testing.T, b Broker, name string, msg *message.Message) (first, second *message.Message) {
	t.Helper()
	subject := "events." + name + ".v1"
	ensure(t, b, name, ackWait, subject)
	got := newRecord()
	stop := consume(t, b.Subscriber(t, Consumer{Name: name, AckWait: ackWait}), subject, func(msg *message.Message) {
		got.add(msg)
		if count(msg) == 1 {
			msg.Nack()
			return
		}
		msg.Ack()
	})
	require.NoError(t, b.Publisher(t).Publish(subject, msg))
	messages := got.await(t, 2)
	stop()
	return messages[0], messages[1]
}

func identity(t *testing.T, b Broker) {
	event := uuid.NewString()
	named := func(id string, metadata ...string) *message.Message {
		msg := message.NewMessage(id, []byte("{}"))
		for i := 0; i < len(metadata); i += 2 {
			msg.Metadata.Set(metadata[i], metadata[i+1])
		}
		return msg
	}
	first, second := twice(t, b, "own", named(event))
	require.Equal(t, []string{event, event}, []string{first.UUID, second.UUID})

	first, second = twice(t, b, "event-id", named("", envelope.MetaID, event))
	require.Equal(t, []string{event, event}, []string{first.UUID, second.UUID})

	first, second = twice(t, b, "foreign", named("", envelope.MetaID, "A-17", envelope.MetaSource, "/shop"))
	require.NoError(t, uuid.Validate(first.UUID))
	require.Equal(t, first.UUID, second.UUID)
	require.Equal(t, "A-17", first.Metadata.Get(envelope.MetaID))

	again, _ := twice(t, b, "same", named("", envelope.MetaID, "A-17", envelope.MetaSource, "/shop"))
	require.Equal(t, first.UUID, again.UUID, "one name of one source is one identity")
	elsewhere, _ := twice(t, b, "source", named("", envelope.MetaID, "A-17", envelope.MetaSource, "/stall"))
	require.NotEqual(t, first.UUID, elsewhere.UUID)

	first, second = twice(t, b, "nameless", named(""))
	require.NoError(t, uuid.Validate(first.UUID))
	require.Equal(t, first.UUID, second.UUID)
	other, _ := twice(t, b, "nameless2", named(""))
	require.NotEqual(t, first.UUID, other.UUID)
}

func roundTrip(t *testing.T, b Broker) {
	ensure(t, b, "one", ackWait, topic)
	got := newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "one", AckWait: ackWait}), topic, got.ack)
	payload := make([]byte, 256)
	for i := range payload {
		payload[i] = byte(i)
	}
	sent := message.NewMessage(uuid.NewString(), payload)
	sent.Metadata = message.Metadata{
		"empty": "", "colon": "a: b", "unicode": "Grüße, 世界", "Case-Kept": "1", "case-kept": "2", "long": strings.Repeat("x", 5000),
		"quotes": `"a\nb"`, envelope.MetaSequence: "00000000000000000001",
	}
	blank := message.NewMessage(uuid.NewString(), nil)
	blank.Metadata = message.Metadata{"Status": "404", "Description": "No Messages"}
	p := b.Publisher(t)
	publishAll(t, p, topic, sent)
	publishAll(t, p, topic, blank)
	messages := got.await(t, 2)
	byID := map[string]*message.Message{messages[0].UUID: messages[0], messages[1].UUID: messages[1]}
	require.Empty(t, cmp.Diff(sent.Metadata, byID[sent.UUID].Metadata))
	require.Equal(t, payload, []byte(byID[sent.UUID].Payload))
	require.Empty(t, cmp.Diff(blank.Metadata, byID[blank.UUID].Metadata))
	require.Empty(t, byID[blank.UUID].Payload)
}

func refused(t *testing.T, b Broker) {
	p := b.Publisher(t)
	require.Error(t, p.Publish("elsewhere.thing", event("k", 1)))
	require.Error(t, p.Publish("events.*", event("k", 1)))
	require.Error(t, p.Publish("events.a b", event("k", 1)))
	for name, pair := range map[string][2]string{
		"a line break":         {"key", "a\nb"},
		"a carriage return":    {"key", "a\rb"},
		"a zero byte":          {"key", "a\x00b"},
		"a leading blank":      {"key", " a"},
		"a trailing blank":     {"key", "a "},
		"a key with a colon":   {"a:b", "v"},
		"a key with a blank":   {"a b", "v"},
		"an empty key":         {"", "v"},
		"a key beyond ASCII":   {"schlüssel", "v"},
		"a key of the broker":  {"Nats-Expected-Stream", "OTHER"},
		"a key that rolls up":  {"Nats-Rollup", "all"},
		"a key with a newline": {"a\nb", "v"},
	} {
		msg := event("k", 1)
		msg.Metadata.Set(pair[0], pair[1])
		err := p.Publish(topic, msg)
		require.Equal(t, fault.Invalid, fault.KindOf(err), "%s: %v", name, err)
		require.NotContains(t, err.Error(), "a\nb", name)
	}
	require.NoError(t, p.Publish(topic, event("k", 1)), "a refusal harms nothing that follows")
}

func deliveries(t *testing.T, b Broker) {
	ensure(t, b, "one", ackWait, "events.>")
	got := newRecord()
	consume(t, b.Subscriber(t, Consumer{Name: "one", AckWait: ackWait}), "events.>", got.ack)
	p := b.Publisher(t)
	at := place(t, p, "events.user.created.v1", uuid.NewString(), "for repeats")
	msg := got.await(t, 1)[0]
	d := delivery.From(msg.Context())
	require.Equal(t, "one", d.Consumer)
	require.Equal(t, "events.user.created.v1", d.Subject)
	require.Equal(t, at, d.StreamSequence)
	require.Equal(t, 1, d.Count)
	require.NotContains(t, msg.Metadata, "Nats-Msg-Id", "what belongs to the broker stays there")
	got.requireQuiet(t, 1, 50*time.Millisecond)
}
