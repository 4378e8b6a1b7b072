package query

import (
	"context"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
)

// ErrForbidden refuses the list of accounts to everyone but admins.
var ErrForbidden = fault.New(fault.Forbidden, "forbidden", "Only an admin may list users.")

// Users asks for a page of accounts, newest first.
type Users struct {
	Caller principal.Principal
	Email  string     // in any spelling; empty: all
	Behind *uuid.UUID // the last page's Next
	Limit  int
}

// UsersPage is one page. Next is nil on the last one.
type UsersPage struct {
	Users []user.User
	Next  *uuid.UUID
}

// UsersHandler handles Users.
type UsersHandler struct{ store Store }

// NewUsersHandler returns a handler on store.
func NewUsersHandler(store Store) *UsersHandler { return &UsersHandler{store: store} }

// Handle gives admins the page, and others ErrForbidden. A page begins behind an ID and not at a count, so accounts that come or go
// between two pages neither repeat nor hide others.
func (h *UsersHandler) Handle(ctx context.Context, q Users) (UsersPage, error) {
	if !q.Caller.Admin() {
		return UsersPage{}, ErrForbidden
	}
	filter, err := q.filter()
	if err != nil {
		return UsersPage{}, err
	}
	users, more, err := h.store.List(ctx, filter, q.Limit)
	if err != nil {
		return UsersPage{}, err
	}
	if !more {
		return UsersPage{Users: users}, nil
	}
	return UsersPage{Users: users, Next: &users[len(users)-1].ID}, nil
}

func (q Users) filter() (Filter, error) {
	if q.Email == "" {
		return Filter{Behind: q.Behind}, nil
	}
	email, ok := user.NormalEmail(q.Email)
	if !ok {
		return Filter{}, fault.NewInvalid(fault.Field{Location: "query.email", Message: "must be a whole e-mail address"})
	}
	return Filter{Email: email, Behind: q.Behind}, nil
}
