package query

import (
	"context"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
)

// UserByID asks for one account.
type UserByID struct {
	Caller principal.Principal
	ID     uuid.UUID
}

// UserByIDHandler handles UserByID.
type UserByIDHandler struct{ store Store }

// NewUserByIDHandler returns a handler on store.
func NewUserByIDHandler(store Store) *UserByIDHandler { return &UserByIDHandler{store: store} }

// Handle gives the account to its user and to admins. To others it does not exist: user.ErrNotFound.
func (h *UserByIDHandler) Handle(ctx context.Context, q UserByID) (user.User, error) {
	if !q.Caller.Owns(q.ID) {
		return user.User{}, user.ErrNotFound
	}
	return h.store.ByID(ctx, q.ID)
}
