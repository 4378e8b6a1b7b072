package command

import (
	"context"
	"errors"

	"github.com/millrace/millrace/app/user"
)

// SignOut ends the session of a refresh token.
type SignOut struct{ Token string }

// SignOutHandler handles SignOut.
type SignOutHandler struct{ store Store }

// NewSignOutHandler returns a handler on store.
func NewSignOutHandler(store Store) *SignOutHandler { return &SignOutHandler{store: store} }

// Handle ends the session of any token that was given out in it. An unknown token is no error: its bearer is signed out already.
func (h *SignOutHandler) Handle(ctx context.Context, c SignOut) error {
	token, err := user.ParseRefreshToken(c.Token)
	if err != nil {
		return nil //nolint:nilerr // not one of ours
	}
	id, _, err := h.store.RefreshToken(ctx, token.Hash())
	if errors.Is(err, user.ErrRefreshToken) {
		return nil
	}
	if err != nil {
		return err
	}
	return h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error { return tx.EndSession(ctx, id) })
}
