package command

import (
	"context"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/order"
)

// RecordCustomer takes note of an account that was created or changed.
type RecordCustomer struct {
	Event envelope.Envelope
	User  contract.User
}

// RecordCustomerHandler handles RecordCustomer.
type RecordCustomerHandler struct{ inbox Inbox }

// NewRecordCustomerHandler returns a handler on inbox.
func NewRecordCustomerHandler(inbox Inbox) *RecordCustomerHandler {
	return &RecordCustomerHandler{inbox: inbox}
}

// Handle stores the account's state, once. A late event does not take a newer state back: the version decides.
func (h *RecordCustomerHandler) Handle(ctx context.Context, c RecordCustomer) error {
	id, err := userID(c.User)
	if err != nil {
		return err
	}
	customer := order.Customer{UserID: id, Role: c.User.Role, Version: c.User.Version}
	return h.inbox.Apply(ctx, c.Event, func(ctx context.Context, tx Tx, _ bool) error {
		return tx.RecordCustomer(ctx, customer, c.User.UpdatedAt)
	})
}

// userID reads the ID of a published account; one that is none can never be applied.
func userID(u contract.User) (uuid.UUID, error) {
	id, err := uuid.Parse(u.ID)
	if err != nil {
		return uuid.UUID{}, envelope.ErrUndecodable.Because(err)
	}
	return id, nil
}
