package orderhttp

import (
	"time"

	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/ports/rest"
)

// Item is one line of an order.
type Item struct {
	SKU       string `json:"sku" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9._:/+-]+$" example:"book"`
	Quantity  int64  `json:"quantity" minimum:"1" example:"2"`
	UnitPrice int64  `json:"unit_price" minimum:"0" doc:"In minor units of the currency" example:"1250"`
}

// Order is an order as it is answered.
type Order struct {
	ID           string     `json:"id" format:"uuid"`
	UserID       string     `json:"user_id" format:"uuid" doc:"Whose order it is"`
	Status       string     `json:"status" enum:"placed,cancelled"`
	Items        []Item     `json:"items" nullable:"false"`
	Currency     string     `json:"currency" doc:"ISO 4217" example:"EUR"`
	Total        int64      `json:"total" doc:"The sum of the items, in minor units of the currency" example:"2500"`
	Note         string     `json:"note"`
	Version      int64      `json:"version" doc:"Grows with each change"`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
	CancelledAt  *time.Time `json:"cancelled_at,omitempty" doc:"Once cancelled"`
	CancelReason *string    `json:"cancel_reason,omitempty" doc:"Once cancelled: what was given as the reason; empty for a deleted user"`
}

func shape(o order.Order) Order {
	s := Order{
		ID: o.ID.String(), UserID: o.UserID.String(), Status: string(o.Status), Items: make([]Item, len(o.Items)),
		Currency: o.Currency, Total: o.Total, Note: o.Note, Version: o.Version,
		CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, CancelledAt: o.CancelledAt,
	}
	for i, item := range o.Items {
		s.Items[i] = Item(item)
	}
	if o.Status == order.Cancelled {
		s.CancelReason = &o.CancelReason
	}
	return s
}

func items(given []Item) []order.Item {
	items := make([]order.Item, len(given))
	for i, item := range given {
		items[i] = order.Item(item)
	}
	return items
}

// answer is one order.
type answer struct {
	rest.Versioned

	Body Order
}

func answered(o order.Order, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{Versioned: rest.Version(o.Version), Body: shape(o)}, nil
}
