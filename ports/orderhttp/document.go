package orderhttp

import (
	"time"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/ports/rest"
)

var (
	exampleTime  = time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)
	exampleOrder = Order{
		ID: "0195a1f3-2b1c-7f00-8a11-5d2c7e9f0a01", UserID: "0195a1f0-7c1d-7e64-9a43-0d6f1b7c2e98", Status: string(order.Placed),
		Items: []Item{{SKU: "FLOUR-1KG", Quantity: 2, UnitPrice: 249}}, Currency: "EUR", Total: 498, Note: "ring twice", Version: 1,
		CreatedAt: exampleTime, UpdatedAt: exampleTime,
	}
)

func exampleCancelled() Order {
	o, when, reason := exampleOrder, exampleTime.Add(time.Hour), "changed my mind"
	o.Status, o.Version, o.UpdatedAt, o.CancelledAt, o.CancelReason = string(order.Cancelled), 2, when, &when, &reason
	return o
}

// described is what the OpenAPI document says of the operations, by their IDs.
func described() rest.Descriptions {
	items := []map[string]any{{"sku": "FLOUR-1KG", "quantity": 2, "unit_price": 249}}
	return rest.Descriptions{
		Tags: map[string]string{"orders": "Orders of the one who is signed in; an admin sees and changes everybody's. " +
			"Another's order is 404, as if it were not there."},
		Operations: map[string]rest.Description{
			"place-order": {
				Text: "The server reckons `total`. Only an admin may name another's `user_id`. The event is `order.placed.v1`.",
				Problems: []*fault.Error{
					order.ErrForeignUser, order.ErrCustomerDeleted,
				},
				Request: map[string]any{"items": items, "currency": "EUR", "note": "ring twice"},
				Answer:  exampleOrder,
			},
			"list-orders": {
				Text:     "An admin may name a `user_id`; anyone else sees their own.",
				Problems: []*fault.Error{order.ErrForeignUser},
				Answer:   rest.Page[Order]{Items: []Order{exampleOrder}, NextCursor: "ZGtY0nLX3T0vYw8dTqZkq1siMDE5NWExZjMi"},
			},
			"get-order": {
				Text: "With its version as `ETag`.", Problems: []*fault.Error{order.ErrNotFound}, Answer: exampleOrder,
			},
			"update-order": {
				Text:     "As long as it is placed. `null` clears the note. The event is `order.updated.v1`; none where nothing changes.",
				Problems: []*fault.Error{order.ErrNotFound, order.ErrCancelled},
				Request:  map[string]any{"items": items, "note": nil},
				Answer:   exampleOrder,
			},
			"cancel-order": {
				Text:     "The event is `order.cancelled.v1`. An order that is cancelled already is answered as it is, without another event.",
				Problems: []*fault.Error{order.ErrNotFound},
				Request:  map[string]any{"reason": "changed my mind"},
				Answer:   exampleCancelled(),
			},
			"delete-order": {
				Text:     "The events are `order.cancelled.v1`, where the order was still placed, and `order.deleted.v1`. Afterwards it is 404.",
				Problems: []*fault.Error{order.ErrNotFound},
			},
		},
	}
}
