// Package event is the memory of everything that was published: the history, which refuses nothing, and the poison queue, which
// keeps what a consumer gave up until somebody decides.
package event

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
)

// ErrNotFound says that the history has no event of that ID.
var ErrNotFound = fault.New(fault.NotFound, "event_not_found", "There is no such event.")

// Message is a message as it arrived, whoever published it.
type Message struct {
	ID       string
	Subject  string // where it came from first, "events.order.placed.v1", also where it was requeued
	Metadata map[string]string
	Data     []byte
}

// Record is an event as the history keeps it. An event is recorded once by its ID and source.
type Record struct {
	Position      int64 // its place in the history, from 1 and without a gap; 0 until it has one
	ID            uuid.UUID
	Type          string
	Source        string
	Key           string
	Sequence      int64     // 0 where its publisher does not number
	Time          time.Time // when it happened; when it was recorded, where its publisher did not say
	RecordedAt    time.Time
	CorrelationID string
	CausationID   string
	Metadata      map[string]string // whole; nil in lists
	Data          []byte            // byte for byte as published
}

// NewRecord makes the record of any message. It refuses nothing: what a foreign publisher left out stays empty, or comes from the
// subject; what is too long for its column is clipped, and stands whole in the metadata; what claims to be another event than its
// subject allows is the subject's event, and marked with MetaMismatch.
func NewRecord(m Message, now time.Time) Record {
	e, metadata := underSubject(envelope.Parse(m.ID, m.Metadata, m.Data), m)
	return Record{
		ID:            envelope.UUID(e.Source, e.ID),
		Type:          clip(e.Type, attributeMax),
		Source:        clip(e.Source, attributeMax),
		Key:           clip(e.Key, attributeMax),
		Sequence:      e.Sequence,
		Time:          timeOr(e.Time, now),
		RecordedAt:    now,
		CorrelationID: clip(e.CorrelationID, attributeMax),
		CausationID:   clip(e.CausationID, attributeMax),
		Metadata:      metadata,
		Data:          m.Data,
	}
}

// typeOf gives an event's type: the one it carries, otherwise the one that its subject stands for.
func typeOf(carried, subject string) string {
	if carried != "" {
		return carried
	}
	t, ok := strings.CutPrefix(subject, envelope.Topic(""))
	if !ok {
		return ""
	}
	return t
}

// timeOr gives t, or other where t is missing or has no place in the years that RFC 3339 can write.
func timeOr(t, other time.Time) time.Time {
	if t = t.UTC(); t.Year() <= 1 || t.Year() > 9999 {
		return other
	}
	return t
}
