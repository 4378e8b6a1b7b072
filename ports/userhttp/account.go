package userhttp

import (
	"time"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/ports/rest"
)

// Account is a user as clients see one: never with a password or its hash.
type Account struct {
	ID        string         `json:"id" format:"uuid"`
	Email     string         `json:"email"`
	Name      string         `json:"name"`
	Role      principal.Role `json:"role" enum:"user,publisher,operator,admin"`
	Version   int64          `json:"version" doc:"Grows with each change"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
}

type accountOutput struct {
	rest.Versioned

	Body Account
}

func answered(u user.User, err error) (*accountOutput, error) {
	if err != nil {
		return nil, err
	}
	return &accountOutput{Versioned: rest.Version(u.Version), Body: accountOf(u)}, nil
}

func accountOf(u user.User) Account {
	return Account{
		ID: u.ID.String(), Email: u.Email, Name: u.Name, Role: u.Role, Version: u.Version,
		CreatedAt: u.CreatedAt.UTC(), UpdatedAt: u.UpdatedAt.UTC(),
	}
}
