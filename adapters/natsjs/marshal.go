package natsjs

import (
	"strings"

	wnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"

	"github.com/millrace/millrace/app/envelope"
)

// ErrUnpublishable refuses a message that the broker could never take, or would change. Trying again is of no use.
var ErrUnpublishable = envelope.ErrUnpublishable

// marshal gives a message its wire format.
func marshal(topic string, msg *message.Message) (*nats.Msg, error) {
	id, err := envelope.Check(topic, msg.UUID, msg.Metadata)
	if err != nil {
		return nil, err
	}
	m, err := (&wnats.NATSMarshaler{}).Marshal(topic, msg)
	if err != nil {
		return nil, ErrUnpublishable.Because(err)
	}
	if id != "" {
		m.Header.Set(envelope.MetaDeduplicationID, id)
	}
	return m, nil
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
		case !envelope.BrokersOwn(key):
			metadata[key] = strings.Join(values, ", ")
		}
	}
	msg := message.NewMessage(envelope.Identity(name, metadata, place.Stream, place.Sequence.Stream), m.Data)
	msg.Metadata = metadata
	return msg
}
