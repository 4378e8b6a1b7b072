package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
)

// Events as the order service publishes them, of orders that have two each. The second comes a thousand events behind the first.
const (
	keysAtOnce = 1000
	perKey     = 2
)

// event is one of them.
type event struct {
	id       uuid.UUID
	topic    string
	key      string
	sequence int64
	metadata map[string]string
	payload  []byte
}

// sampler makes events.
type sampler struct {
	made int
	keys [keysAtOnce]uuid.UUID
}

// next makes the event behind the last one.
func (s *sampler) next() (event, error) {
	lane := s.made % keysAtOnce
	sequence := int64(s.made/keysAtOnce%perKey) + 1
	s.made++
	if sequence == 1 {
		s.keys[lane] = uuid.Must(uuid.NewV7())
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	o := contract.Order{
		ID: s.keys[lane].String(), UserID: s.keys[0].String(), Status: "placed", Currency: "EUR", Total: 3490, Version: sequence,
		Items: []contract.OrderItem{
			{SKU: "book-0815", Quantity: 2, UnitPrice: 1250}, {SKU: "pencil-hb", Quantity: 10, UnitPrice: 99},
		},
		CreatedAt: now, UpdatedAt: now,
	}
	var fact contract.Event = contract.OrderPlaced{Order: o}
	if sequence > 1 {
		fact = contract.OrderUpdated{Order: o}
	}
	payload, err := json.Marshal(fact)
	if err != nil {
		return event{}, fmt.Errorf("encode a sample: %w", err)
	}
	id := uuid.Must(uuid.NewV7())
	envelope := contract.Envelope{
		ID: id.String(), Type: fact.Type(), Source: contract.SourceOrder, Key: o.ID, Sequence: sequence, Time: now,
		CorrelationID: uuid.Must(uuid.NewV7()).String(), Data: payload,
	}
	return event{
		id: id, topic: contract.Topic(fact.Type()), key: o.ID, sequence: sequence, metadata: envelope.Metadata(), payload: payload,
	}, nil
}
