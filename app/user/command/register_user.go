package command

import (
	"context"
	"time"

	"github.com/millrace/millrace/app/limit"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/idempotency"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
)

// RegisterUser makes an account for whoever asks.
type RegisterUser struct {
	Email    string
	Name     string
	Password string
	Network  string // what is limited as one address
	Once     idempotency.Once[user.User]
}

// RegisterUserHandler handles RegisterUser.
type RegisterUserHandler struct {
	store  Store
	hasher Hasher
	newID  func() uuid.UUID
	now    func() time.Time
}

// NewRegisterUserHandler returns a handler on store.
func NewRegisterUserHandler(store Store, hasher Hasher, newID func() uuid.UUID, now func() time.Time) *RegisterUserHandler {
	return &RegisterUserHandler{store: store, hasher: hasher, newID: newID, now: now}
}

// Handle stores the account with its event user.created.v1. The error is user.ErrEmailTaken where another account has the address.
func (h *RegisterUserHandler) Handle(ctx context.Context, c RegisterUser) (user.User, error) {
	applicant, err := user.Apply(c.Email, c.Name, c.Password)
	if err != nil {
		return user.User{}, err
	}
	hash, err := h.hasher.Hash(ctx, limit.Origin{Network: c.Network}, applicant.Password())
	if err != nil {
		return user.User{}, err
	}
	u, created := applicant.Register(h.newID(), hash, principal.RoleUser, h.now())
	answer, err := c.Once.Record(u, u.ID, u.CreatedAt)
	if err != nil {
		return user.User{}, err
	}
	err = h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		if err := tx.Remember(ctx, answer); err != nil {
			return err
		}
		if err := tx.Insert(ctx, u); err != nil {
			return err
		}
		return tx.Publish(ctx, u.Sequence, created)
	})
	if err != nil {
		return user.User{}, err
	}
	return u, nil
}
