package order

import (
	"time"

	"github.com/google/uuid"
)

// Customer is what the order service knows of a user, from the user service's events alone. An unknown user may order: the event of the
// account may still be on its way.
type Customer struct {
	UserID    uuid.UUID
	Role      string     // empty while unknown
	Version   int64      // of the account; 0 while unknown
	DeletedAt *time.Time // nil while the account is there
}

// CheckOrders reports whether c may order. The error is ErrCustomerDeleted.
func (c Customer) CheckOrders() error {
	if c.DeletedAt != nil {
		return ErrCustomerDeleted
	}
	return nil
}
