// Package wire is what every broker adapter promises about a message on its way: which stream takes it, what it may carry, who it
// is and which key it belongs to.
package wire

import (
	"fmt"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/fault"
)

// The streams, each with the subjects below its own first token.
const (
	Events  = "EVENTS"  // every event; kept for ever unless configured
	Poison  = "POISON"  // what consumers gave up
	Requeue = "REQUEUE" // what goes back to the one consumer that failed
)

// MessageID is the metadata key by which a stream tells repeats; without it, the message's UUID does.
const MessageID = "Nats-Msg-Id"

// own begins the keys that steer the broker; as metadata they would do what nobody asked for.
const own = "Nats-"

// ErrUnpublishable refuses a message that the broker could never take, or would change. Trying again is of no use.
var ErrUnpublishable = fault.New(fault.Invalid, "unpublishable", "The broker cannot take the message.")

// StreamOf gives the stream that takes a subject or pattern, by its first token.
func StreamOf(subject string) (string, error) {
	first, rest, found := strings.Cut(subject, ".")
	if found && rest != "" {
		switch first {
		case "events":
			return Events, nil
		case "poison":
			return Poison, nil
		case "requeue":
			return Requeue, nil
		}
	}
	return "", fmt.Errorf("no stream takes the subject %q", subject)
}

// Own reports whether a metadata key belongs to the broker; a handler never sees it.
func Own(key string) bool { return strings.HasPrefix(key, own) }

// Check refuses what would not arrive as it is. It gives the ID by which the stream tells repeats of the message.
func Check(topic string, msg *message.Message) (messageID string, err error) {
	if _, err := StreamOf(topic); err != nil {
		return "", ErrUnpublishable.Because(err)
	}
	for token := range strings.SplitSeq(topic, ".") {
		if token == "" || strings.IndexFunc(token, func(r rune) bool { return r <= ' ' || r == '*' || r == '>' || r == 0x7f }) >= 0 {
			return "", ErrUnpublishable.Because(fmt.Errorf("topic %q is no subject", topic))
		}
	}
	if err := checkValue("the UUID", msg.UUID); err != nil {
		return "", err
	}
	for key, value := range msg.Metadata {
		if err := checkKey(key); err != nil {
			return "", err
		}
		if err := checkValue("metadata key "+key, value); err != nil {
			return "", err
		}
	}
	if id := msg.Metadata[MessageID]; id != "" {
		return id, nil
	}
	return msg.UUID, nil
}

// tokenCharacters are those of a header's name (RFC 9110); the client refuses a header with any other.
const tokenCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

func checkKey(key string) error {
	if Own(key) && key != MessageID {
		return ErrUnpublishable.Because(fmt.Errorf("metadata key %q belongs to the broker", key))
	}
	if key == "" || strings.Trim(key, tokenCharacters) != "" {
		return ErrUnpublishable.Because(fmt.Errorf("metadata key %q is no header name", key))
	}
	return nil
}

// checkValue does not repeat the value: it may be personal.
func checkValue(of, value string) error {
	if strings.ContainsAny(value, "\r\n\x00") {
		return ErrUnpublishable.Because(fmt.Errorf("%s: the value has a line break or a zero byte", of))
	}
	if strings.Trim(value, " \t") != value {
		return ErrUnpublishable.Because(fmt.Errorf("%s: the value begins or ends with a blank", of))
	}
	return nil
}
