package command

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/user"
)

// ReplaceDrawnPassword gives an account with a drawn password, not changed yet, one that somebody chose. A drawn password is shown once,
// and perhaps nobody saw it.
type ReplaceDrawnPassword struct {
	Email    string
	Password string
}

// ReplaceDrawnPasswordHandler handles ReplaceDrawnPassword.
type ReplaceDrawnPasswordHandler struct {
	store  Store
	hasher Hasher
	now    func() time.Time
}

// NewReplaceDrawnPasswordHandler returns a handler on store.
func NewReplaceDrawnPasswordHandler(store Store, hasher Hasher, now func() time.Time) *ReplaceDrawnPasswordHandler {
	return &ReplaceDrawnPasswordHandler{store: store, hasher: hasher, now: now}
}

// Handle reports whether it replaced the password; it then also ended the sessions begun with the old one. A password that the user chose
// stays.
func (h *ReplaceDrawnPasswordHandler) Handle(ctx context.Context, c ReplaceDrawnPassword) (replaced bool, err error) {
	email, _ := user.NormalEmail(c.Email)
	u, err := h.store.ByEmail(ctx, email)
	if errors.Is(err, user.ErrNotFound) || err == nil && !u.MustChangePassword {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	password, err := u.CheckPassword("password", c.Password)
	if err != nil {
		return false, err
	}
	hash, err := h.hasher.Hash(ctx, own, password)
	if err != nil {
		return false, err
	}
	err = h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		replaced, err = h.replace(ctx, tx, u.ID, hash)
		return err
	})
	return replaced && err == nil, err
}

func (h *ReplaceDrawnPasswordHandler) replace(ctx context.Context, tx Tx, id uuid.UUID, hash string) (bool, error) {
	u, err := tx.ForUpdate(ctx, id)
	if errors.Is(err, user.ErrNotFound) || err == nil && !u.MustChangePassword {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	u.ChangePassword(hash, h.now())
	if err := tx.Update(ctx, u); err != nil {
		return false, err
	}
	return true, tx.EndSessions(ctx, id, 0, uuid.Nil)
}
