// Package eventconsumer holds the handlers of the event service: it records what was published and keeps what was given up.
package eventconsumer

import (
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/delivery"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/command"
	"github.com/millrace/millrace/router"
)

// The consumers of the event service.
const (
	History = "event-history"
	Poison  = "event-poison"
)

// Consumer handles the messages of the event service.
type Consumer struct {
	record      *command.RecordEventHandler
	storePoison *command.StorePoisonHandler
	sequencer   *Sequencer
}

// New makes a Consumer. sequencer is woken after each recorded event.
func New(record *command.RecordEventHandler, storePoison *command.StorePoisonHandler, sequencer *Sequencer) *Consumer {
	return &Consumer{record: record, storePoison: storePoison, sequencer: sequencer}
}

// Record handles the messages of the consumer event-history. It refuses none of them, whatever they hold.
func (c *Consumer) Record(msg *message.Message) error {
	m := received(msg)
	m.Subject = router.Origin(m.Subject, msg.Metadata)
	if err := c.record.Handle(msg.Context(), command.RecordEvent{Message: m}); err != nil {
		return err
	}
	c.sequencer.Wake()
	return nil
}

// StorePoison handles the messages of the consumer event-poison. It refuses none of them, because there is no poison queue behind
// the poison queue.
func (c *Consumer) StorePoison(msg *message.Message) error {
	m := received(msg)
	return c.storePoison.Handle(msg.Context(), command.StorePoison{Message: m, GivenUp: givenUp(m)})
}

func received(msg *message.Message) event.Message {
	return event.Message{
		ID:       msg.UUID,
		Subject:  delivery.From(msg.Context()).Subject,
		Metadata: msg.Metadata,
		Data:     msg.Payload,
	}
}
