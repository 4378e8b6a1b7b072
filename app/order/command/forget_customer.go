package command

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/order"
)

// These bound one transaction of a fan-out: a user may have any number of orders, and meanwhile it holds its locks and, on SQLite, the
// only writer.
const (
	ordersPerStep  = 100
	textsPerStep   = 500
	answersPerStep = 500
)

// userDeleted is the cancellation of a deleted user's orders. Its reason is our own word, and stays.
var userDeleted = order.Cancellation{By: contract.ReasonUserDeleted, Reason: contract.ReasonUserDeleted}

// ForgetCustomer takes note of an account that was deleted.
type ForgetCustomer struct {
	Event envelope.Envelope
	User  contract.User
}

// ForgetCustomerHandler handles ForgetCustomer.
type ForgetCustomerHandler struct {
	inbox Inbox
	now   func() time.Time
}

// NewForgetCustomerHandler returns a handler on inbox.
func NewForgetCustomerHandler(inbox Inbox, now func() time.Time) *ForgetCustomerHandler {
	return &ForgetCustomerHandler{inbox: inbox, now: now}
}

// Handle marks the account deleted, deletes its kept answers, cancels its placed orders with the reason user_deleted, each with its
// event, and erases the notes and reasons that stand in its orders, in as many transactions as it takes. After the first of them the user
// can place no order, so the last leaves none.
func (h *ForgetCustomerHandler) Handle(ctx context.Context, c ForgetCustomer) error {
	id, err := userID(c.User)
	if err != nil {
		return err
	}
	return h.inbox.ApplyInSteps(ctx, c.Event, func(ctx context.Context, tx Tx, _ bool) (done bool, err error) {
		if err := tx.ForgetCustomer(ctx, id, c.User.UpdatedAt); err != nil {
			return false, err
		}
		forgotten, err := tx.ForgetAnswers(ctx, id, answersPerStep)
		if err != nil {
			return false, err
		}
		cancelled, err := h.cancelSome(ctx, tx, id)
		if err != nil || !cancelled || forgotten == answersPerStep {
			return false, err
		}
		erased, err := tx.EraseTexts(ctx, id, textsPerStep, h.now())
		return erased < textsPerStep, err
	})
}

// cancelSome cancels the oldest placed orders of a user and drops their notes; done says that these were all. It locks them one by
// one, by ID, as every other command does.
func (h *ForgetCustomerHandler) cancelSome(ctx context.Context, tx Tx, userID uuid.UUID) (done bool, err error) {
	ids, err := tx.PlacedBy(ctx, userID, ordersPerStep)
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		o, err := tx.ForUpdate(ctx, id)
		if errors.Is(err, order.ErrNotFound) {
			continue // its owner deleted it meanwhile
		}
		if err != nil {
			return false, err
		}
		o.Note = ""
		if err := cancel(ctx, tx, &o, userDeleted, h.now()); err != nil {
			return false, err
		}
	}
	return len(ids) < ordersPerStep, nil
}
