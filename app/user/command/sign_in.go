package command

import (
	"context"
	"errors"

	"github.com/millrace/millrace/app/limit"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/user"
)

// SignIn proves who somebody is by e-mail address and password.
type SignIn struct {
	Email    string
	Password string
	Client   user.Client
	Network  string // what is limited as one address
}

// SignInHandler handles SignIn.
type SignInHandler struct {
	store   Store
	hasher  Hasher
	guard   *Guard
	granter *Granter
}

// NewSignInHandler returns a handler on store.
func NewSignInHandler(store Store, hasher Hasher, guard *Guard, granter *Granter) *SignInHandler {
	return &SignInHandler{store: store, hasher: hasher, guard: guard, granter: granter}
}

// Handle begins a session and gives its first tokens. The error is user.ErrSignIn or user.ErrTooManyAttempts, or says that too many wait
// for the hasher. An unknown e-mail address costs one hash and counts like a wrong password, so that neither the answer nor its time tells
// who has an account.
func (h *SignInHandler) Handle(ctx context.Context, c SignIn) (Grant, error) {
	email, _ := user.NormalEmail(c.Email)     // an invalid one is looked up and counted too
	u, unknown := h.store.ByEmail(ctx, email) // zero where it is unknown
	if unknown != nil && !errors.Is(unknown, user.ErrNotFound) {
		return Grant{}, unknown
	}
	fits, err := h.guard.check(ctx, attempt{account: u.ID, email: email, network: c.Network}, func(from limit.Origin) (bool, error) {
		if unknown != nil {
			_, err := h.hasher.Hash(ctx, from, user.NormalPassword(c.Password))
			return false, err
		}
		return h.hasher.Verify(ctx, from, u.PasswordHash, user.NormalPassword(c.Password))
	})
	if err != nil {
		return Grant{}, err
	}
	if !fits {
		return Grant{}, user.ErrSignIn
	}
	return h.begin(ctx, u, c)
}

// begin stores the session of u, whose password fits, unless the password was changed meanwhile: a change ends all sessions of the old
// password, including those about to begin.
func (h *SignInHandler) begin(ctx context.Context, u user.User, c SignIn) (Grant, error) {
	refresh, err := user.DrawRefreshToken(h.granter.random)
	if err != nil {
		return Grant{}, err
	}
	session := user.BeginSession(h.granter.newID(), u.ID, c.Client, h.granter.now())
	var now user.User
	err = h.store.Atomically(ctx, func(ctx context.Context, tx Tx) (err error) {
		if now, err = tx.ForUpdate(ctx, u.ID); err != nil {
			return err
		}
		if now.PasswordHash != u.PasswordHash {
			return user.ErrSignIn
		}
		if err := tx.EndSessions(ctx, u.ID, user.MaxSessions-1, uuid.Nil); err != nil {
			return err
		}
		if err := tx.InsertSession(ctx, session); err != nil {
			return err
		}
		if err := tx.RememberAddress(ctx, h.guard.mark(u.ID, c.Network), u.ID, session.CreatedAt.Add(knownFor)); err != nil {
			return err
		}
		return tx.InsertRefreshToken(ctx, refresh.Hash(), session)
	})
	if errors.Is(err, user.ErrNotFound) {
		return Grant{}, user.ErrSignIn // deleted meanwhile
	}
	if err != nil {
		return Grant{}, err
	}
	return h.granter.grant(ctx, now, session.ID, refresh)
}
