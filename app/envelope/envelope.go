// Package envelope is the vocabulary of messages: what one is, how its attributes are named, where it is published, how a foreign ID
// becomes a UUID, and what a broker takes.
package envelope

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/millrace/millrace/app/fault"
)

// Metadata keys of an event: CloudEvents 1.0 in binary mode, and the links of correlation. On NATS they are headers.
const (
	MetaSpecVersion  = "ce-specversion"
	MetaID           = "ce-id"
	MetaType         = "ce-type"
	MetaSource       = "ce-source"
	MetaTime         = "ce-time"
	MetaSubject      = "ce-subject"
	MetaPartitionKey = "ce-partitionkey"
	MetaSequence     = "ce-sequence"
	MetaCorrelation  = "correlation_id"
	MetaCausation    = "causation_id"
	MetaTraceparent  = "traceparent"
)

// Metadata keys that the poison queue adds to a message.
const (
	MetaPoisonID        = "millrace-poison-id"       // UUID, fixed by consumer, source and ID of the event, and round
	MetaPoisonConsumer  = "millrace-poison-consumer" // who gave up
	MetaPoisonSubject   = "millrace-poison-subject"  // where the message had come from
	MetaPoisonReason    = "millrace-poison-reason"   // the last error, one line
	MetaPoisonStack     = "millrace-poison-stack"    // of a panic, quoted as a Go string; absent elsewhere
	MetaPoisonAttempts  = "millrace-poison-attempts" // decimal
	MetaPoisonFirst     = "millrace-poison-first"    // RFC 3339
	MetaPoisonLast      = "millrace-poison-last"     // RFC 3339
	MetaPoisonOmitted   = "millrace-poison-omitted"  // "metadata", "payload" or both: too large to go along; absent elsewhere
	MetaRound           = "millrace-round"           // how often the message was requeued, decimal; absent: never
	MetaDeduplicationID = "Nats-Msg-Id"              // by which the broker tells repeats, where it is not the event's ID
)

// MaxBytes is the most that payload and metadata of one event may weigh together. It is checked where the event is written,
// so that what the broker could never take is refused before it is promised.
const MaxBytes = 512 << 10

// MaxReason is the longest reason for giving a message up, in bytes; what is longer is cut.
const MaxReason = 2048

// ErrTooLarge refuses an event over MaxBytes.
var ErrTooLarge = fault.New(fault.Invalid, "event_too_large", "The change is too large: its event would exceed 512 KiB.")

// ErrUndecodable is a handler's answer to a payload that is not what its type promises. It is never retried.
var ErrUndecodable = fault.New(fault.Invalid, "undecodable", "The event cannot be decoded.")

// Envelope is one event with everything that is known about it, apart from how it travels.
type Envelope struct {
	ID            string // UUID; the same for ever, and the Watermill message's UUID
	Type          string // "order.placed.v1"
	Source        string // "/millrace/order"
	Key           string // the aggregate's ID; events of one key are ordered
	Sequence      int64  // the event's number among its key's events, from 1; 0 where the publisher does not number
	Time          time.Time
	CorrelationID string
	CausationID   string
	Traceparent   string
	Data          []byte // the payload, byte for byte as it was published
}

// Topic is where events of type t are published: the NATS subject, and the Watermill topic.
func Topic(t string) string { return "events." + t }

// PoisonTopic is where what a consumer gave up is published.
func PoisonTopic(consumer string) string { return "poison." + consumer }

// RequeueTopic is where what goes back to a consumer is published. No other consumer reads it.
func RequeueTopic(consumer string) string { return "requeue." + consumer }

// Metadata gives e's attributes as message metadata. Empty links are left out.
func (e Envelope) Metadata() map[string]string {
	m := map[string]string{
		MetaSpecVersion:  "1.0",
		MetaID:           e.ID,
		MetaType:         e.Type,
		MetaSource:       e.Source,
		MetaTime:         e.Time.UTC().Format(time.RFC3339Nano),
		MetaSubject:      e.Key,
		MetaPartitionKey: e.Key,
		MetaSequence:     fmt.Sprintf("%020d", e.Sequence),
		MetaCorrelation:  e.CorrelationID,
		MetaCausation:    e.CausationID,
		MetaTraceparent:  e.Traceparent,
	}
	if e.Sequence == 0 {
		delete(m, MetaSequence)
	}
	maps.DeleteFunc(m, func(_, v string) bool { return v == "" })
	return m
}

// Parse reads an envelope from a message. What a foreign publisher left out is empty, and no error: it matters only to a handler
// that needs it.
func Parse(id string, metadata map[string]string, data []byte) Envelope {
	e := Envelope{
		ID:            id,
		Type:          metadata[MetaType],
		Source:        metadata[MetaSource],
		Key:           metadata[MetaPartitionKey],
		CorrelationID: metadata[MetaCorrelation],
		CausationID:   metadata[MetaCausation],
		Traceparent:   metadata[MetaTraceparent],
		Data:          data,
	}
	if e.Key == "" {
		e.Key = metadata[MetaSubject]
	}
	if n, err := strconv.ParseInt(metadata[MetaSequence], 10, 64); err == nil && n > 0 {
		e.Sequence = n
	}
	if t, err := time.Parse(time.RFC3339Nano, metadata[MetaTime]); err == nil {
		e.Time = t.UTC()
	}
	return e
}
