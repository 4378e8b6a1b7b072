package command

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
)

// AdminName is the name of the first admin, who may take another.
const AdminName = "Administrator"

// EnsureAdmin makes the first admin where there is none.
type EnsureAdmin struct {
	Email    string
	Password string
	Drawn    bool // nobody chose the password: it must be changed first
}

// EnsureAdminHandler handles EnsureAdmin.
type EnsureAdminHandler struct {
	store  Store
	hasher Hasher
	newID  func() uuid.UUID
	now    func() time.Time
}

// NewEnsureAdminHandler returns a handler on store.
func NewEnsureAdminHandler(store Store, hasher Hasher, newID func() uuid.UUID, now func() time.Time) *EnsureAdminHandler {
	return &EnsureAdminHandler{store: store, hasher: hasher, newID: newID, now: now}
}

// Handle reports whether it made the admin; only then is the given password the admin's. Of several replicas that start at once with the
// same e-mail address, one makes the admin and the others find it made.
func (h *EnsureAdminHandler) Handle(ctx context.Context, c EnsureAdmin) (made bool, err error) {
	if there, err := h.there(ctx); err != nil || there {
		return false, err
	}
	applicant, err := user.Apply(c.Email, AdminName, c.Password)
	if err != nil {
		return false, err
	}
	hash, err := h.hasher.Hash(ctx, own, applicant.Password())
	if err != nil {
		return false, err
	}
	made, err = h.make(ctx, applicant, hash, c.Drawn)
	if errors.Is(err, user.ErrEmailTaken) {
		return false, h.beaten(ctx, err)
	}
	return made, err
}

func (h *EnsureAdminHandler) make(ctx context.Context, applicant user.Applicant, hash string, drawn bool) (made bool, err error) {
	u, created := applicant.Register(h.newID(), hash, principal.RoleAdmin, h.now())
	u.MustChangePassword = drawn
	err = h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		made = false
		admins, err := tx.Admins(ctx)
		if err != nil || len(admins) > 0 {
			return err
		}
		if err := tx.Insert(ctx, u); err != nil {
			return err
		}
		made = true
		return tx.Publish(ctx, u.Sequence, created)
	})
	return made && err == nil, err
}

// there looks before the costly hash; the transaction looks again.
func (h *EnsureAdminHandler) there(ctx context.Context) (there bool, err error) {
	err = h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		admins, err := tx.Admins(ctx)
		there = len(admins) > 0
		return err
	})
	return there, err
}

// beaten tells two reasons for a taken e-mail address apart: another replica made the admin first, which is no error, or a user has it.
func (h *EnsureAdminHandler) beaten(ctx context.Context, taken error) error {
	there, err := h.there(ctx)
	if err != nil {
		return err
	}
	if !there {
		return taken
	}
	return nil
}
