package user

import (
	"slices"

	"github.com/google/uuid"
)

// Admins are all accounts with the admin's role.
type Admins []uuid.UUID

// Spare refuses with ErrLastAdmin where without id no admin would be left. It decides rightly only under a lock of all of them.
func (a Admins) Spare(id uuid.UUID) error {
	if len(a) == 1 && slices.Contains(a, id) {
		return ErrLastAdmin
	}
	return nil
}
