// Package order is the order: what somebody buys, until it is cancelled.
package order

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
)

// Order is an order. Version grows with each stored change, Sequence with each event, so that both number their kind without
// a gap. Total is the sum of Items in minor units of Currency; nobody sets it.
type Order struct {
	ID           uuid.UUID
	UserID       uuid.UUID
	Status       Status
	Items        []Item
	Currency     string
	Total        int64
	Note         string
	Version      int64
	Sequence     int64
	CreatedAt    time.Time
	UpdatedAt    time.Time
	CancelledAt  *time.Time // nil while placed
	CancelReason string
}

// Draft is what somebody orders.
type Draft struct {
	UserID   uuid.UUID
	Items    []Item
	Currency string
	Note     string
}

// Change is what may change of a placed order; what is nil stays.
type Change struct {
	Items []Item
	Note  *string
}

// Place makes an order of d and gives the event of it. The error names every value that breaks a rule.
func Place(id uuid.UUID, d Draft, at time.Time) (Order, contract.Event, error) {
	var broken violations
	o := Order{
		ID:        id,
		UserID:    d.UserID,
		Status:    Placed,
		Items:     broken.items(d.Items),
		Currency:  broken.currency(d.Currency),
		Note:      broken.note(d.Note),
		CreatedAt: moment(at),
	}
	o.Total = broken.total(o.Items)
	if err := broken.err(); err != nil {
		return Order{}, nil, err
	}
	o.stamp(at)
	return o, contract.OrderPlaced{Order: o.published()}, nil
}

// Change applies c and gives its event. Where c changes nothing, the event is nil and o untouched. The error is ErrCancelled for a
// cancelled order, or names every value that breaks a rule.
func (o *Order) Change(c Change, at time.Time) (contract.Event, error) {
	if o.Status.Final() {
		return nil, ErrCancelled
	}
	next, err := c.applied(*o)
	if err != nil {
		return nil, err
	}
	if next.Note == o.Note && slices.Equal(next.Items, o.Items) {
		return nil, nil
	}
	next.stamp(at)
	*o = next
	return contract.OrderUpdated{Order: o.published()}, nil
}

// Cancellation is by whose doing an order ends, and why.
type Cancellation struct {
	By     string // contract.ReasonCustomer, …; it is published
	Reason string // what somebody wrote, kept with the order and never published; may be empty
}

// Cancel ends a placed order and gives the event of it. The event is nil where o was cancelled before: it keeps its first reason.
func (o *Order) Cancel(c Cancellation, at time.Time) (contract.Event, error) {
	var broken violations
	reason := broken.reason(c.Reason)
	if err := broken.err(); err != nil {
		return nil, err
	}
	if !o.Status.Becomes(Cancelled) {
		return nil, nil
	}
	o.stamp(at)
	cancelledAt := o.UpdatedAt
	o.Status, o.CancelledAt, o.CancelReason = Cancelled, &cancelledAt, reason
	return contract.OrderCancelled{Order: o.published(), Reason: c.By}, nil
}

// Delete gives the event of o's deletion. The error is ErrPlaced for a placed order: whoever delivers it must hear that it was cancelled
// before it is gone.
func (o *Order) Delete(at time.Time) (contract.Event, error) {
	if !o.Status.Final() {
		return nil, ErrPlaced
	}
	o.stamp(at)
	return contract.OrderDeleted{Order: o.published()}, nil
}

func (c Change) applied(o Order) (Order, error) {
	var broken violations
	if c.Items != nil {
		o.Items = broken.items(c.Items)
		o.Total = broken.total(o.Items)
	}
	if c.Note != nil {
		o.Note = broken.note(*c.Note)
	}
	return o, broken.err()
}

func (o *Order) stamp(at time.Time) {
	o.Version++
	o.Sequence++
	o.UpdatedAt = moment(at)
}

func (o *Order) published() contract.Order {
	items := make([]contract.OrderItem, len(o.Items))
	for i, item := range o.Items {
		items[i] = contract.OrderItem(item)
	}
	return contract.Order{
		ID:          o.ID.String(),
		UserID:      o.UserID.String(),
		Status:      string(o.Status),
		Items:       items,
		Currency:    o.Currency,
		Total:       o.Total,
		Version:     o.Version,
		CreatedAt:   o.CreatedAt,
		UpdatedAt:   o.UpdatedAt,
		CancelledAt: o.CancelledAt,
	}
}

// moment cuts at to what a database keeps, so that an event and the stored row tell the same time.
func moment(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }
