package envelope

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/millrace/millrace/app/fault"
)

// The streams, each with the subjects below its own first token.
const (
	StreamEvents  = "EVENTS"  // every event; kept for ever unless configured
	StreamPoison  = "POISON"  // what consumers gave up
	StreamRequeue = "REQUEUE" // what goes back to the one consumer that failed
)

// brokersPrefix begins the names of metadata that steer the broker.
const brokersPrefix = "Nats-"

// ErrUnpublishable refuses a message that the broker could never take, or would change. Trying again is of no use.
var ErrUnpublishable = fault.New(fault.Invalid, "unpublishable", "The broker cannot take the message.")

// prefixes are the first tokens of topics, with the stream that takes what lies below each.
var prefixes = []struct{ prefix, stream string }{
	{"events", StreamEvents}, {"poison", StreamPoison}, {"requeue", StreamRequeue},
}

// Prefixes are the first tokens of all topics: events, poison, requeue.
func Prefixes() (all []string) {
	for _, p := range prefixes {
		all = append(all, p.prefix)
	}
	return all
}

// Prefix returns the first token of a topic.
func Prefix(topic string) string {
	prefix, _, _ := strings.Cut(topic, ".")
	return prefix
}

// IsTopic reports whether messages are published on this topic.
func IsTopic(topic string) bool {
	_, err := StreamOf(topic)
	return err == nil
}

// StreamOf returns the stream that takes a subject or pattern, by its first token.
func StreamOf(subject string) (string, error) {
	first, rest, _ := strings.Cut(subject, ".")
	for _, p := range prefixes {
		if p.prefix == first && rest != "" {
			return p.stream, nil
		}
	}
	return "", fmt.Errorf("no stream takes the subject %q", subject)
}

// BrokersOwn reports whether a metadata key belongs to the broker; a handler never sees it.
func BrokersOwn(key string) bool { return strings.HasPrefix(key, brokersPrefix) }

// Check refuses a message that would not arrive as it is. It returns the ID by which the stream tells repeats of it: that of its metadata,
// or id.
func Check(topic, id string, metadata map[string]string) (deduplicationID string, err error) {
	if _, err := StreamOf(topic); err != nil {
		return "", ErrUnpublishable.Because(err)
	}
	for token := range strings.SplitSeq(topic, ".") {
		if token == "" || strings.IndexFunc(token, func(r rune) bool { return r <= ' ' || r == '*' || r == '>' || r == 0x7f }) >= 0 {
			return "", ErrUnpublishable.Because(fmt.Errorf("topic %q is no subject", topic))
		}
	}
	if err := checkValue("the UUID", id); err != nil {
		return "", err
	}
	for key, value := range metadata {
		if err := checkKey(key); err != nil {
			return "", err
		}
		if err := checkValue("metadata key "+key, value); err != nil {
			return "", err
		}
	}
	return cmp.Or(metadata[MetaDeduplicationID], id), nil
}

// tokenCharacters are those of a header's name (RFC 9110); the client refuses a header with any other.
const tokenCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

func checkKey(key string) error {
	if BrokersOwn(key) && key != MetaDeduplicationID {
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
