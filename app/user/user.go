// Package user is the account: who may sign in, with which e-mail address, and what they may do.
package user

import (
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/principal"
)

// User is an account. Version grows with each stored change, Sequence with each event, so that both number their kind without
// a gap. Email is normalised: two accounts never differ only by case.
type User struct {
	ID           uuid.UUID
	Email        string
	Name         string
	PasswordHash string
	// MustChangePassword is so while the password is one that its user did not choose.
	MustChangePassword bool
	Role               principal.Role
	Version            int64
	Sequence           int64
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// Change is what may change of an account; what is nil stays.
type Change struct {
	Email *string
	Name  *string
	Role  *principal.Role
}

// Demotes reports whether c takes the admin's role from u.
func (c Change) Demotes(u User) bool {
	return u.Role == principal.RoleAdmin && c.Role != nil && *c.Role != principal.RoleAdmin
}

// Change applies c and gives the event of it. The event is nil, and u is untouched, where c changes nothing or breaks a rule.
func (u *User) Change(c Change, at time.Time) (contract.Event, error) {
	next, err := c.applied(*u)
	if err != nil {
		return nil, err
	}
	if next == *u {
		return nil, nil
	}
	next.stamp(at)
	*u = next
	return contract.UserUpdated{User: u.published()}, nil
}

// Delete gives the event of u's deletion. What stays of u afterwards is the event alone, which carries no personal data.
func (u *User) Delete(at time.Time) contract.Event {
	u.stamp(at)
	return contract.UserDeleted{User: u.published()}
}

func (c Change) applied(u User) (User, error) {
	var broken violations
	if c.Email != nil {
		u.Email = broken.email(*c.Email)
	}
	if c.Name != nil {
		u.Name = broken.name(*c.Name)
	}
	if c.Role != nil {
		u.Role = broken.role(*c.Role)
	}
	return u, broken.err()
}

// ChangePassword gives u a password that its user chose. That is a change of the account and no event: nobody else needs to know.
func (u *User) ChangePassword(hash string, at time.Time) {
	u.PasswordHash, u.MustChangePassword = hash, false
	u.Version++
	u.UpdatedAt = moment(at)
}

func (u *User) stamp(at time.Time) {
	u.Version++
	u.Sequence++
	u.UpdatedAt = moment(at)
}

func (u *User) published() contract.User {
	return contract.User{
		ID:        u.ID.String(),
		Role:      string(u.Role),
		Version:   u.Version,
		CreatedAt: u.CreatedAt,
		UpdatedAt: u.UpdatedAt,
	}
}

// moment cuts at to what a database keeps, so that an event and the stored row tell the same time.
func moment(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }
