package user

import (
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/principal"
)

// Applicant is somebody who registers with values that keep every rule. Only Apply makes one, so that no refused password is hashed and
// no account is made of unchecked values.
type Applicant struct {
	email    string
	name     string
	password string
}

// Apply checks and normalises what somebody registers with. The error names every value that breaks a rule.
func Apply(email, name, password string) (Applicant, error) {
	var broken violations
	a := Applicant{email: broken.email(email), name: broken.name(name)}
	a.password = broken.password("body.password", password, a.email, a.name)
	if err := broken.err(); err != nil {
		return Applicant{}, err
	}
	return a, nil
}

// Password is what is to be hashed for Register.
func (a Applicant) Password() string { return a.password }

// Register makes the account and gives the event of it.
func (a Applicant) Register(id uuid.UUID, passwordHash string, role principal.Role, at time.Time) (User, contract.Event) {
	u := User{ID: id, Email: a.email, Name: a.name, PasswordHash: passwordHash, Role: role, CreatedAt: moment(at)}
	u.stamp(at)
	return u, contract.UserCreated{User: u.published()}
}
