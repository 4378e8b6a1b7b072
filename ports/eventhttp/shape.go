package eventhttp

import (
	"encoding/base64"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/query"
)

// Payload is what was published: JSON as it is, anything else in base64.
type Payload struct {
	Data       json.RawMessage `json:"data,omitempty" doc:"The payload as it was published; absent where it is no JSON"`
	DataBase64 *string         `json:"data_base64,omitempty" doc:"The payload in base64, where it is no JSON"`
}

// Event is an event of the history.
type Event struct {
	Position      int64     `json:"position" doc:"Its place in the history, from 1 and without a gap" example:"4711"`
	ID            string    `json:"id" format:"uuid"`
	Type          string    `json:"type" example:"order.placed.v1"`
	Source        string    `json:"source" example:"/millrace/order"`
	Key           string    `json:"key" doc:"The aggregate's ID"`
	Sequence      int64     `json:"sequence" doc:"Its number among the events of its key, from 1; 0 where the publisher does not number"`
	Time          time.Time `json:"time" doc:"When it happened"`
	RecordedAt    time.Time `json:"recorded_at" doc:"When the history heard of it"`
	CorrelationID string    `json:"correlation_id" doc:"Of the request that began it all; empty where there was none"`
	CausationID   string    `json:"causation_id" doc:"The ID of the event that caused it; empty where none did"`

	Payload
}

// Outcome is what became of an event at one consumer.
type Outcome struct {
	Consumer string    `json:"consumer" example:"order-customers"`
	Outcome  string    `json:"outcome" enum:"recorded,poisoned"`
	Attempt  int       `json:"attempt" doc:"Which attempt it was, from 1"`
	At       time.Time `json:"at"`
}

// EventDetail is an event with its metadata and with what became of it.
type EventDetail struct {
	Event

	Metadata map[string]string `json:"metadata" doc:"All that the message carried beside its payload"`
	Outcomes []Outcome         `json:"outcomes" nullable:"false"`
}

// Poison is a message that a consumer gave up.
type Poison struct {
	ID            string            `json:"id" format:"uuid"`
	Status        string            `json:"status" enum:"open,requeued,discarded,resolved"`
	Consumer      string            `json:"consumer" doc:"Who gave up" example:"order-customers"`
	Type          string            `json:"type" example:"user.created.v1"`
	Key           string            `json:"key" doc:"The aggregate's ID"`
	EventID       string            `json:"event_id" format:"uuid"`
	Subject       string            `json:"subject" doc:"Where the message had come from" example:"events.user.created.v1"`
	Reason        string            `json:"reason" doc:"The last error"`
	Attempts      int               `json:"attempts"`
	FirstFailedAt time.Time         `json:"first_failed_at"`
	LastFailedAt  time.Time         `json:"last_failed_at"`
	Fingerprint   string            `json:"fingerprint" doc:"The same for failures of one kind"`
	Metadata      map[string]string `json:"metadata" doc:"All that the message carried, and what the poison queue added"`

	Payload
}

func payload(data []byte) Payload {
	if json.Valid(data) && utf8.Valid(data) {
		return Payload{Data: data}
	}
	encoded := base64.StdEncoding.EncodeToString(data)
	return Payload{DataBase64: &encoded}
}

func shapeEvent(r event.Record) Event {
	return Event{
		Position: r.Position, ID: r.ID.String(), Type: r.Type, Source: r.Source, Key: r.Key, Sequence: r.Sequence,
		Time: r.Time, RecordedAt: r.RecordedAt, CorrelationID: r.CorrelationID, CausationID: r.CausationID, Payload: payload(r.Data),
	}
}

func shapeDetail(e query.Event) EventDetail {
	d := EventDetail{Event: shapeEvent(e.Record), Metadata: e.Metadata, Outcomes: make([]Outcome, len(e.Outcomes))}
	for i, o := range e.Outcomes {
		d.Outcomes[i] = Outcome{Consumer: o.Consumer, Outcome: o.Outcome, Attempt: o.Attempt, At: o.At}
	}
	return d
}

func shapePoison(p event.Poison) Poison {
	return Poison{
		ID: p.ID.String(), Status: string(p.Status), Consumer: p.Consumer, Type: p.Type, Key: p.Key, EventID: p.EventID.String(),
		Subject: p.Subject, Reason: p.Reason, Attempts: p.Attempts, FirstFailedAt: p.FirstFailedAt, LastFailedAt: p.LastFailedAt,
		Fingerprint: p.Fingerprint, Metadata: p.Metadata, Payload: payload(p.Data),
	}
}
