package user

import (
	"slices"

	"github.com/google/uuid"
)

// Admins are all accounts with the admin's role.
type Admins []uuid.UUID

// Spare gives ErrLastAdmin if id is the only admin. Its answer holds only while all admins are locked.
func (a Admins) Spare(id uuid.UUID) error {
	if len(a) == 1 && slices.Contains(a, id) {
		return ErrLastAdmin
	}
	return nil
}
