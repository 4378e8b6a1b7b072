package command

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
)

// SignIn proves who somebody is by e-mail address and password.
type SignIn struct {
	Email    string
	Password string
}

// SignedIn is what a sign-in gives.
type SignedIn struct {
	AccessToken string
	Expires     time.Time
}

// SignInHandler handles SignIn.
type SignInHandler struct {
	store  Store
	hasher Hasher
	issuer TokenIssuer
	newID  func() uuid.UUID
}

// NewSignInHandler returns a handler on store; newID draws the IDs of sessions.
func NewSignInHandler(store Store, hasher Hasher, issuer TokenIssuer, newID func() uuid.UUID) *SignInHandler {
	return &SignInHandler{store: store, hasher: hasher, issuer: issuer, newID: newID}
}

// Handle gives an access token, or user.ErrSignIn. An unknown e-mail address costs one hash, as a wrong password does, so that
// neither the answer nor its time tells who has an account.
func (h *SignInHandler) Handle(ctx context.Context, c SignIn) (SignedIn, error) {
	u, err := h.known(ctx, c.Email)
	if errors.Is(err, user.ErrNotFound) {
		return SignedIn{}, h.refuse(ctx, c.Password)
	}
	if err != nil {
		return SignedIn{}, err
	}
	fits, err := h.hasher.Verify(ctx, u.PasswordHash, c.Password)
	if err != nil {
		return SignedIn{}, err
	}
	if !fits {
		return SignedIn{}, user.ErrSignIn
	}
	token, expires, err := h.issuer.Issue(ctx, principal.Principal{UserID: u.ID, Role: u.Role, Session: h.newID().String()})
	if err != nil {
		return SignedIn{}, err
	}
	return SignedIn{AccessToken: token, Expires: expires}, nil
}

// known reads the account even for what is no e-mail address: that too costs one look-up.
func (h *SignInHandler) known(ctx context.Context, email string) (user.User, error) {
	normal, _ := user.NormalEmail(email)
	return h.store.ByEmail(ctx, normal)
}

func (h *SignInHandler) refuse(ctx context.Context, password string) error {
	if _, err := h.hasher.Hash(ctx, password); err != nil {
		return err
	}
	return user.ErrSignIn
}
