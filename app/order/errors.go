package order

import "github.com/millrace/millrace/app/fault"

// What an order refuses. The codes are part of the API.
var (
	ErrNotFound        = fault.New(fault.NotFound, "order_not_found", "There is no such order.")
	ErrCancelled       = fault.New(fault.Conflict, "order_cancelled", "A cancelled order cannot be changed.")
	ErrPlaced          = fault.New(fault.Conflict, "order_placed", "A placed order must be cancelled before it is deleted.")
	ErrCustomerDeleted = fault.New(fault.Conflict, "customer_deleted", "The account of this user was deleted.")
	ErrForeignUser     = fault.New(fault.Forbidden, "user_forbidden", "Only an admin may act for another user.")
)
