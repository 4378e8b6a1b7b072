package contract

import "time"

// Publication is one type of event as it is documented: an example, which is its golden file, and a sentence.
type Publication struct {
	Example Event
	Summary string
}

// UserEvents are the events of the user service.
func UserEvents() []Publication {
	u := exampleUser()
	return []Publication{
		{UserCreated{User: u}, "Somebody registered"},
		{UserUpdated{User: u}, "An account changed; only the role of it is published"},
		{UserDeleted{User: u}, "An account is gone; version and updated_at are those of the deletion"},
	}
}

// OrderEvents are the events of the order service.
func OrderEvents() []Publication {
	placed, cancelled := exampleOrder(), exampleOrder()
	at := time.Date(2026, 3, 1, 12, 30, 0, 7_000, time.UTC)
	cancelled.Status, cancelled.CancelledAt = "cancelled", &at
	return []Publication{
		{OrderPlaced{Order: placed}, "An order was accepted"},
		{OrderUpdated{Order: placed}, "Items or note of a placed order changed"},
		{OrderCancelled{Order: cancelled, Reason: ReasonUserDeleted}, "An order was cancelled"},
		{OrderDeleted{Order: cancelled}, "An order is gone"},
	}
}

// The times of the examples.
var (
	exampleCreated = time.Date(2026, 3, 1, 11, 0, 0, 123_456_000, time.UTC)
	exampleUpdated = time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
)

func exampleUser() User {
	return User{
		ID: "0195a1f0-7c1d-7e64-9a43-0d6f1b7c2e98", Role: "publisher", Version: 3, CreatedAt: exampleCreated, UpdatedAt: exampleUpdated,
	}
}

func exampleOrder() Order {
	return Order{
		ID: "0195a1f3-2b1c-7f00-8a11-5d2c7e9f0a01", UserID: exampleUser().ID, Status: "placed",
		Items:    []OrderItem{{SKU: "book", Quantity: 2, UnitPrice: 1250}, {SKU: "pen/blue", Quantity: 1, UnitPrice: 0}},
		Currency: "EUR", Total: 2500, Version: 3, CreatedAt: exampleCreated, UpdatedAt: exampleUpdated,
	}
}
