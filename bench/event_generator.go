package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
)

// The generator works on concurrentKeys orders at a time, so that two events of the same order are that far apart.
const (
	concurrentKeys = 1000
	eventsPerKey   = 2
)

// sampleEvent is an event as the order service publishes it.
type sampleEvent struct {
	id       uuid.UUID
	topic    string
	key      string
	sequence int64
	metadata map[string]string
	payload  []byte
}

// eventGenerator generates the events of sample orders. The zero value is ready to use.
type eventGenerator struct {
	count int // number of events generated
	keys  [concurrentKeys]uuid.UUID
}

// next returns the next event.
func (g *eventGenerator) next() (sampleEvent, error) {
	slot := g.count % concurrentKeys
	sequence := int64(g.count/concurrentKeys%eventsPerKey) + 1
	g.count++
	if sequence == 1 {
		g.keys[slot] = uuid.Must(uuid.NewV7())
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	o := contract.Order{
		ID: g.keys[slot].String(), UserID: g.keys[0].String(), Status: "placed", Currency: "EUR", Total: 3490, Version: sequence,
		Items: []contract.OrderItem{
			{SKU: "book-0815", Quantity: 2, UnitPrice: 1250}, {SKU: "pencil-hb", Quantity: 10, UnitPrice: 99},
		},
		CreatedAt: now, UpdatedAt: now,
	}
	var change contract.Event = contract.OrderPlaced{Order: o}
	if sequence > 1 {
		change = contract.OrderUpdated{Order: o}
	}
	payload, err := json.Marshal(change)
	if err != nil {
		return sampleEvent{}, fmt.Errorf("encode a sample event: %w", err)
	}
	id := uuid.Must(uuid.NewV7())
	sample := envelope.Envelope{
		ID: id.String(), Type: change.Type(), Source: contract.SourceOrder, Key: o.ID, Sequence: sequence, Time: now,
		CorrelationID: uuid.Must(uuid.NewV7()).String(), Data: payload,
	}
	return sampleEvent{
		id: id, topic: envelope.Topic(change.Type()), key: o.ID, sequence: sequence, metadata: sample.Metadata(), payload: payload,
	}, nil
}
