package eventhttp

import (
	"encoding/json"
	"time"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/ports/rest"
)

const (
	exampleUser  = "0195a1f0-7c1d-7e64-9a43-0d6f1b7c2e98"
	exampleID    = "0195a1f0-7c1e-7b02-8c55-1f3a9d2e4b60"
	exampleCause = "request-1"
)

var (
	exampleTime  = time.Date(2026, 3, 1, 11, 0, 0, 123_456_000, time.UTC)
	exampleEvent = Event{
		Position: 4711, ID: exampleID, Type: contract.TypeUserCreated, Source: contract.SourceUser, Key: exampleUser, Sequence: 1,
		Time: exampleTime, RecordedAt: exampleTime.Add(20 * time.Millisecond), CorrelationID: exampleCause,
		Payload: Payload{Data: json.RawMessage(`{"id":"` + exampleUser + `","role":"user","version":1,` +
			`"created_at":"2026-03-01T11:00:00.123456Z","updated_at":"2026-03-01T11:00:00.123456Z"}`)},
	}
	exampleMetadata = envelope.Envelope{
		ID: exampleID, Type: contract.TypeUserCreated, Source: contract.SourceUser, Key: exampleUser, Sequence: 1, Time: exampleTime,
		CorrelationID: exampleCause,
	}.Metadata()
	exampleDetail = EventDetail{
		Event: exampleEvent, Metadata: exampleMetadata,
		Outcomes: []Outcome{{Consumer: "event-history", Outcome: "recorded", Attempt: 1, At: exampleEvent.RecordedAt}},
	}
	examplePoison = Poison{
		ID: "5d1f6a57-6c1b-5c56-9d0d-2f8f3c1f7f10", Status: string(event.StatusOpen), Consumer: "order-customers", Type: contract.TypeUserCreated,
		Key: exampleUser, EventID: exampleID, Subject: envelope.Topic(contract.TypeUserCreated), Reason: "The event cannot be decoded.",
		Attempts: 1, FirstFailedAt: exampleTime, LastFailedAt: exampleTime, Fingerprint: "b5bb9d8014a0f9b1", Metadata: exampleMetadata,
		Payload: Payload{DataBase64: new("eyJpZCI6")},
	}
)

func exampleRequeued() Poison {
	p := examplePoison
	p.Status = string(event.StatusRequeued)
	return p
}

// described is what the OpenAPI document says of the operations, by their IDs.
func described() rest.Descriptions {
	return rest.Descriptions{
		Tags: map[string]string{
			"events": "The history of what happened, for operators and admins. An event's data is shown byte for byte as it was published.",
			"poison": "What consumers gave up, for operators and admins.",
		},
		Operations: map[string]rest.Description{
			"list-events": {
				Text: "Filters are joined by and. `order=asc` gives the oldest first. Where several filters leave very few of many events, a page " +
					"ends with what was found in a short time: it may be empty and have a `next_cursor`.",
				Answer: rest.Page[Event]{Items: []Event{exampleEvent}, NextCursor: "ZGtY0nLX3T0vYw8dTqZkq1s0NzEx"},
			},
			"get-event": {
				Text:     "With the metadata of its message and with each consumer's outcome.",
				Problems: []*fault.Error{event.ErrNotFound}, Answer: exampleDetail,
			},
			"list-poison": {
				Text:   "Filters are joined by and. `open` is what nobody has decided about yet. The newest failure, `last_failed_at`, is first.",
				Answer: rest.Page[Poison]{Items: []Poison{examplePoison}},
			},
			"get-poison": {
				Text:     "With why, how often and since when it failed, and all that the message carried.",
				Problems: []*fault.Error{event.ErrPoisonNotFound}, Answer: examplePoison,
			},
			"requeue-poison": {
				Text: "It goes back under its own event ID, so that what the consumer has applied already changes nothing. " +
					"It stays `requeued`; if its consumer gives it up again, that is a poison message of its own.",
				Problems: []*fault.Error{
					event.ErrPoisonNotFound, event.ErrPoisonNotOpen, event.ErrNoConsumer, event.ErrPayloadOmitted, event.ErrNotRequeued,
				}, Answer: exampleRequeued(),
			},
		},
	}
}
