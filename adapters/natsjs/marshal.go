package natsjs

import (
	"fmt"
	"strings"

	wnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace/millrace/adapters/natsjs/lane"
	"github.com/millrace/millrace/app/fault"
)

// ErrUnpublishable refuses a message that the broker could never take, or would change. Trying again is of no use.
var ErrUnpublishable = fault.New(fault.Invalid, "unpublishable", "The broker cannot take the message.")

// ownHeaders begin the headers that steer the broker; as metadata they would do what nobody asked for.
const ownHeaders = "Nats-"

// marshal gives a message its wire format. Metadata that would not arrive as it is, is refused.
func marshal(topic string, msg *message.Message) (*nats.Msg, error) {
	if strings.ContainsAny(topic, "*>") {
		return nil, ErrUnpublishable.Because(fmt.Errorf("topic %q is a pattern", topic))
	}
	if _, err := streamOf(topic); err != nil {
		return nil, ErrUnpublishable.Because(err)
	}
	for key, value := range msg.Metadata {
		if err := checkHeader(key, value); err != nil {
			return nil, ErrUnpublishable.Because(err)
		}
	}
	if err := checkHeader(wnats.WatermillUUIDHdr, msg.UUID); err != nil {
		return nil, ErrUnpublishable.Because(err)
	}
	m, err := (&wnats.NATSMarshaler{}).Marshal(topic, msg)
	if err != nil {
		return nil, ErrUnpublishable.Because(err)
	}
	if m.Header.Get(jetstream.MsgIDHeader) == "" && msg.UUID != "" {
		m.Header.Set(jetstream.MsgIDHeader, msg.UUID)
	}
	return m, nil
}

// checkHeader refuses what the wire would not carry unchanged. The value is not repeated: it may be personal.
func checkHeader(key, value string) error {
	if strings.HasPrefix(key, ownHeaders) && key != jetstream.MsgIDHeader {
		return fmt.Errorf("metadata key %q belongs to the broker", key)
	}
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }
	if key == "" || strings.IndexFunc(key, odd) >= 0 {
		return fmt.Errorf("metadata key %q is no header name", key)
	}
	if strings.ContainsAny(value, "\r\n\x00") {
		return fmt.Errorf("the value of metadata key %q has a line break", key)
	}
	if strings.Trim(value, " \t") != value {
		return fmt.Errorf("the value of metadata key %q begins or ends with a blank", key)
	}
	return nil
}

// unmarshal gives a delivery as a message. It never fails: whatever is on the wire, a handler must see it, and judge it. What
// belongs to the broker is left out; a header given several times has its values joined by commas, as HTTP does it.
func unmarshal(m *nats.Msg, place *nats.MsgMetadata) *message.Message {
	metadata := make(message.Metadata, len(m.Header))
	name := ""
	for key, values := range m.Header {
		switch {
		case key == wnats.WatermillUUIDHdr:
			name = strings.Join(values, ", ")
		case !strings.HasPrefix(key, ownHeaders):
			metadata[key] = strings.Join(values, ", ")
		}
	}
	msg := message.NewMessage(lane.Identity(name, metadata, place.Stream, place.Sequence.Stream), m.Data)
	msg.Metadata = metadata
	return msg
}
