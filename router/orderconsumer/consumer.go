// Package orderconsumer holds the handler of the order service: it keeps what orders need to know of users.
package orderconsumer

import (
	"context"
	"errors"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/router/delivery"
)

// Customers is the consumer of the user service's events.
const Customers = "order-customers"

// Handlers are the commands that the user service's events lead to.
type Handlers struct {
	RecordCustomer *command.RecordCustomerHandler
	ForgetCustomer *command.ForgetCustomerHandler
	PassOver       *command.PassOverHandler
}

// Consumer handles the messages of the order service.
type Consumer struct{ handlers Handlers }

// New makes a Consumer.
func New(h Handlers) *Consumer { return &Consumer{handlers: h} }

// Handle handles the messages of the consumer order-customers: all events of users, because it must see the sequence of each whole.
// The error is contract.ErrUndecodable for an event that it needs and cannot read; a repeat of one that was applied is nil.
func (c *Consumer) Handle(msg *message.Message) error {
	ctx := msg.Context()
	e := contract.ParseEnvelope(msg.UUID, msg.Metadata, msg.Payload)
	if e.Type == "" {
		e.Type, _ = strings.CutPrefix(delivery.From(ctx).Subject, contract.Topic(""))
	}
	switch e.Type {
	case contract.TypeUserCreated, contract.TypeUserUpdated:
		return c.record(ctx, e)
	case contract.TypeUserDeleted:
		return c.forget(ctx, e)
	}
	return c.handlers.PassOver.Handle(ctx, command.PassOver{Event: e})
}

func (c *Consumer) record(ctx context.Context, e contract.Envelope) error {
	user, err := decode(e)
	if err != nil {
		return err
	}
	return c.handlers.RecordCustomer.Handle(ctx, command.RecordCustomer{Event: e, User: user})
}

func (c *Consumer) forget(ctx context.Context, e contract.Envelope) error {
	user, err := decode(e)
	if err != nil {
		return err
	}
	return c.handlers.ForgetCustomer.Handle(ctx, command.ForgetCustomer{Event: e, User: user})
}

// decode reads the user that each event of the user service carries. One that is about another user than its key says is not what its
// type promises, though it can be read: applied, it would change that other user out of order.
func decode(e contract.Envelope) (contract.User, error) {
	event, err := contract.Decode[contract.UserUpdated](e)
	if err != nil {
		return contract.User{}, err
	}
	if _, err := uuid.Parse(event.ID); err != nil {
		return contract.User{}, contract.ErrUndecodable.Because(errNoID)
	}
	if event.Key() != e.Key {
		return contract.User{}, contract.ErrUndecodable.Because(errOtherKey)
	}
	return event.User, nil
}

// Why a payload that can be read is undecodable all the same. They repeat nothing of it: reasons are shown and logged.
var (
	errNoID     = errors.New("the user's id is no UUID")
	errOtherKey = errors.New("the user's id is not the event's key")
)
