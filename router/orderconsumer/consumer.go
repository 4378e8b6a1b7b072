// Package orderconsumer holds the handler of the order service: it keeps what orders need to know of users.
package orderconsumer

import (
	"context"
	"errors"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/delivery"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/router"
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
// The error is envelope.ErrUndecodable for an event that it needs and cannot read; a repeat of one that was applied is nil.
func (c *Consumer) Handle(msg *message.Message) error {
	ctx := msg.Context()
	e := envelope.Parse(msg.UUID, msg.Metadata, msg.Payload)
	if err := underSubject(&e, router.Origin(delivery.From(ctx).Subject, msg.Metadata)); err != nil {
		return err
	}
	switch e.Type {
	case contract.TypeUserCreated, contract.TypeUserUpdated:
		return c.record(ctx, e)
	case contract.TypeUserDeleted:
		return c.forget(ctx, e)
	}
	return c.handlers.PassOver.Handle(ctx, command.PassOver{Event: e})
}

// underSubject gives e the type of the subject that it came on first. What claims another type there, or another source than the user
// service, is not what its subject promises: the broker lets only the user service speak on it, and metadata holds anything.
func underSubject(e *envelope.Envelope, subject string) error {
	t, ok := strings.CutPrefix(subject, envelope.Topic(""))
	if !ok { // its type would be whatever its metadata claims
		return envelope.ErrUndecodable.Because(errNoSubject)
	}
	if e.Type != "" && e.Type != t {
		return envelope.ErrUndecodable.Because(errOtherType)
	}
	if e.Source != "" && e.Source != contract.SourceUser {
		return envelope.ErrUndecodable.Because(errOtherSource)
	}
	e.Type = t
	return nil
}

func (c *Consumer) record(ctx context.Context, e envelope.Envelope) error {
	user, err := decode(e)
	if err != nil {
		return err
	}
	return c.handlers.RecordCustomer.Handle(ctx, command.RecordCustomer{Event: e, User: user})
}

func (c *Consumer) forget(ctx context.Context, e envelope.Envelope) error {
	user, err := decode(e)
	if err != nil {
		return err
	}
	return c.handlers.ForgetCustomer.Handle(ctx, command.ForgetCustomer{Event: e, User: user})
}

// decode reads the user that each event of the user service carries. One that is about another user than its key says is not what its
// type promises, though it can be read: applied, it would change that other user out of order.
func decode(e envelope.Envelope) (contract.User, error) {
	event, err := contract.Decode[contract.UserUpdated](e)
	if err != nil {
		return contract.User{}, err
	}
	if _, err := uuid.Parse(event.ID); err != nil {
		return contract.User{}, envelope.ErrUndecodable.Because(errNoID)
	}
	if event.Key() != e.Key {
		return contract.User{}, envelope.ErrUndecodable.Because(errOtherKey)
	}
	return event.User, nil
}

// Why a payload that can be read is undecodable all the same. They repeat nothing of it: reasons are shown and logged.
var (
	errNoID        = errors.New("the user's id is no UUID")
	errNoSubject   = errors.New("where the event came from first is not known")
	errOtherType   = errors.New("the event's type is not its subject's")
	errOtherSource = errors.New("the event's source is not the service of its subject")
	errOtherKey    = errors.New("the user's id is not the event's key")
)
