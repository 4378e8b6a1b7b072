package command

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/user"
)

// RefreshSession asks for another pair of tokens.
type RefreshSession struct {
	Token  string
	Client user.Client
}

// RefreshSessionHandler handles RefreshSession.
type RefreshSessionHandler struct {
	store   Store
	granter *Granter
}

// NewRefreshSessionHandler returns a handler on store.
func NewRefreshSessionHandler(store Store, granter *Granter) *RefreshSessionHandler {
	return &RefreshSessionHandler{store: store, granter: granter}
}

// Handle uses up the token and gives the next pair; the new access token carries the user's present role. A used token is accepted again
// within user.RefreshGrace; after that it ends its session. Whatever is wrong with a token, the error is user.ErrRefreshToken.
func (h *RefreshSessionHandler) Handle(ctx context.Context, c RefreshSession) (Grant, error) {
	token, err := user.ParseRefreshToken(c.Token)
	if err != nil {
		return Grant{}, err
	}
	id, generation, err := h.store.RefreshToken(ctx, token.Hash())
	if err != nil {
		return Grant{}, err
	}
	next, err := user.DrawRefreshToken(h.granter.random)
	if err != nil {
		return Grant{}, err
	}
	userID, err := h.rotate(ctx, id, generation, c.Client, next)
	if err != nil {
		return Grant{}, err
	}
	u, err := h.store.ByID(ctx, userID)
	if errors.Is(err, user.ErrNotFound) {
		return Grant{}, user.ErrRefreshToken // deleted meanwhile
	}
	if err != nil {
		return Grant{}, err
	}
	return h.granter.grant(ctx, u, id, next)
}

// rotate stores next as the session's, or ends the session.
func (h *RefreshSessionHandler) rotate(
	ctx context.Context, id uuid.UUID, generation int64, c user.Client, next user.RefreshToken,
) (userID uuid.UUID, err error) {
	var good bool
	err = h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		s, err := tx.SessionForUpdate(ctx, id)
		if err != nil {
			return err
		}
		userID = s.UserID
		if good = s.Refresh(generation, c, h.granter.now()); !good {
			return tx.EndSession(ctx, id)
		}
		if err := tx.UpdateSession(ctx, s); err != nil {
			return err
		}
		return tx.InsertRefreshToken(ctx, next.Hash(), s)
	})
	if errors.Is(err, user.ErrSessionNotFound) || err == nil && !good {
		return uuid.Nil, user.ErrRefreshToken
	}
	return userID, err
}
