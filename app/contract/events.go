// Package contract is what Millrace publishes: the events, and nothing of how they are stored or sent.
// Published types only ever gain optional fields; golden files pin their bytes. No event carries an e-mail address, a name or a
// note, because what is published cannot be erased.
package contract

import (
	"encoding/json"
	"time"

	"github.com/millrace/millrace/app/envelope"
)

// Sources of events.
const (
	SourceUser  = "/millrace/user"
	SourceOrder = "/millrace/order"
	SourceEvent = "/millrace/event"
)

// Event types that Millrace's own services publish.
const (
	TypeUserCreated    = "user.created.v1"
	TypeUserUpdated    = "user.updated.v1"
	TypeUserDeleted    = "user.deleted.v1"
	TypeOrderPlaced    = "order.placed.v1"
	TypeOrderUpdated   = "order.updated.v1"
	TypeOrderCancelled = "order.cancelled.v1"
	TypeOrderDeleted   = "order.deleted.v1"
)

// Reasons of an order.cancelled.v1: who had the order cancelled. They are codes, never a text of somebody's, and more may come.
const (
	ReasonCustomer    = "customer"
	ReasonAdmin       = "admin"
	ReasonUserDeleted = "user_deleted" // the account of its user was deleted
)

// Event is a fact about one aggregate.
type Event interface {
	// Type is the event's type and version, "order.placed.v1".
	Type() string
	// Key is the aggregate's ID. Events of one key are ordered.
	Key() string
}

// User is an account's published state.
type User struct {
	ID        string    `json:"id"`
	Role      string    `json:"role"`
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// UserCreated says that somebody registered.
type UserCreated struct{ User }

// UserUpdated says that an account changed; of what may change, only the role is published.
type UserUpdated struct{ User }

// UserDeleted says that an account is gone. Version and UpdatedAt are those of the deletion.
type UserDeleted struct{ User }

// OrderItem is one line of an order. UnitPrice is in minor units of the order's currency.
type OrderItem struct {
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"`
	UnitPrice int64  `json:"unit_price"`
}

// Order is an order's published state. Total is in minor units of Currency (ISO 4217).
type Order struct {
	ID          string      `json:"id"`
	UserID      string      `json:"user_id"`
	Status      string      `json:"status"`
	Items       []OrderItem `json:"items"`
	Currency    string      `json:"currency"`
	Total       int64       `json:"total"`
	Version     int64       `json:"version"`
	CreatedAt   time.Time   `json:"created_at"`
	UpdatedAt   time.Time   `json:"updated_at"`
	CancelledAt *time.Time  `json:"cancelled_at,omitempty"`
}

// OrderPlaced says that an order was accepted.
type OrderPlaced struct{ Order }

// OrderUpdated says that items or note of a placed order changed.
type OrderUpdated struct{ Order }

// OrderCancelled says that an order was cancelled, and by whose doing: ReasonCustomer, ReasonAdmin or ReasonUserDeleted. The text that a
// person may have given is not published.
type OrderCancelled struct {
	Order

	Reason string `json:"reason,omitempty"`
}

// OrderDeleted says that an order is gone.
type OrderDeleted struct{ Order }

// Key implements Event for the events of an account.
func (u User) Key() string { return u.ID }

// Key implements Event for the events of an order.
func (o Order) Key() string { return o.ID }

// Type implements Event.
func (UserCreated) Type() string { return TypeUserCreated }

// Type implements Event.
func (UserUpdated) Type() string { return TypeUserUpdated }

// Type implements Event.
func (UserDeleted) Type() string { return TypeUserDeleted }

// Type implements Event.
func (OrderPlaced) Type() string { return TypeOrderPlaced }

// Type implements Event.
func (OrderUpdated) Type() string { return TypeOrderUpdated }

// Type implements Event.
func (OrderCancelled) Type() string { return TypeOrderCancelled }

// Type implements Event.
func (OrderDeleted) Type() string { return TypeOrderDeleted }

// Decode reads e's payload as the event type T. Unknown fields are passed over, since types gain fields. The error is
// envelope.ErrUndecodable.
func Decode[T Event](e envelope.Envelope) (T, error) {
	var event T
	if err := json.Unmarshal(e.Data, &event); err != nil {
		return event, envelope.ErrUndecodable.Because(err)
	}
	return event, nil
}
