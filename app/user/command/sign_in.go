package command

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/user"
)

// SignIn proves who somebody is by e-mail address and password.
type SignIn struct {
	Email    string
	Password string
	Client   user.Client
}

// SignInHandler handles SignIn.
type SignInHandler struct {
	store   Store
	hasher  Hasher
	granter *Granter
}

// NewSignInHandler returns a handler on store.
func NewSignInHandler(store Store, hasher Hasher, granter *Granter) *SignInHandler {
	return &SignInHandler{store: store, hasher: hasher, granter: granter}
}

// Handle begins a session and gives its first tokens, or user.ErrSignIn. An unknown e-mail address costs one hash, as a wrong password
// does, so that neither the answer nor its time tells who has an account.
func (h *SignInHandler) Handle(ctx context.Context, c SignIn) (Grant, error) {
	u, err := h.known(ctx, c.Email)
	if errors.Is(err, user.ErrNotFound) {
		return Grant{}, h.refuse(ctx, c.Password)
	}
	if err != nil {
		return Grant{}, err
	}
	fits, err := h.hasher.Verify(ctx, u.PasswordHash, user.NormalPassword(c.Password))
	if err != nil {
		return Grant{}, err
	}
	if !fits {
		return Grant{}, user.ErrSignIn
	}
	return h.begin(ctx, u, c.Client)
}

// known reads the account even for what is no e-mail address: that too costs one look-up.
func (h *SignInHandler) known(ctx context.Context, email string) (user.User, error) {
	normal, _ := user.NormalEmail(email)
	return h.store.ByEmail(ctx, normal)
}

func (h *SignInHandler) refuse(ctx context.Context, password string) error {
	if _, err := h.hasher.Hash(ctx, user.NormalPassword(password)); err != nil {
		return err
	}
	return user.ErrSignIn
}

// begin stores the session of u, whose password fits. It does not where the password was changed meanwhile: a change ends the sessions
// of the old one, those too that are about to begin.
func (h *SignInHandler) begin(ctx context.Context, u user.User, c user.Client) (Grant, error) {
	refresh, err := user.DrawRefreshToken(h.granter.random)
	if err != nil {
		return Grant{}, err
	}
	session := user.BeginSession(h.granter.newID(), u.ID, c, h.granter.now())
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
