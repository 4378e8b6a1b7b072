package asyncapi

import (
	"time"

	"github.com/millrace/millrace/app/contract"
)

// publication is one type of event, with an example.
type publication struct {
	event contract.Event
	says  string
}

var (
	created   = time.Date(2026, 3, 1, 11, 0, 0, 123_456_000, time.UTC)
	updated   = time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	cancelled = time.Date(2026, 3, 1, 12, 30, 0, 7_000, time.UTC)

	someUser = contract.User{
		ID: "0195a1f0-7c1d-7e64-9a43-0d6f1b7c2e98", Role: "publisher", Version: 3, CreatedAt: created, UpdatedAt: updated,
	}
	someUserCreated = contract.UserCreated{User: someUser}
	someOrder       = contract.Order{
		ID: "0195a1f3-2b1c-7f00-8a11-5d2c7e9f0a01", UserID: someUser.ID, Status: "placed",
		Items:    []contract.OrderItem{{SKU: "book", Quantity: 2, UnitPrice: 1250}, {SKU: "pen/blue", Quantity: 1, UnitPrice: 0}},
		Currency: "EUR", Total: 2500, Version: 3, CreatedAt: created, UpdatedAt: updated,
	}
)

func cancelledOrder() contract.Order {
	o := someOrder
	o.Status, o.CancelledAt = "cancelled", &cancelled
	return o
}

// published are all types, with the examples of the golden files.
var published = []publication{
	{contract.UserCreated{User: someUser}, "Somebody registered"},
	{contract.UserUpdated{User: someUser}, "An account changed; only the role of it is published"},
	{contract.UserDeleted{User: someUser}, "An account is gone; version and updated_at are those of the deletion"},
	{contract.OrderPlaced{Order: someOrder}, "An order was accepted"},
	{contract.OrderUpdated{Order: someOrder}, "Items or note of a placed order changed"},
	{contract.OrderCancelled{Order: cancelledOrder(), Reason: contract.ReasonUserDeleted}, "An order was cancelled"},
	{contract.OrderDeleted{Order: cancelledOrder()}, "An order is gone"},
}
