package command

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
)

// Grant is what a sign-in or a refresh gives.
type Grant struct {
	AccessToken  string
	Expires      time.Time // of the access token
	RefreshToken user.RefreshToken
}

// Granter draws what a grant is made of.
type Granter struct {
	issuer TokenIssuer
	random io.Reader
	newID  func() uuid.UUID
	now    func() time.Time
}

// NewGranter returns a granter; newID draws the IDs of sessions.
func NewGranter(issuer TokenIssuer, random io.Reader, newID func() uuid.UUID, now func() time.Time) *Granter {
	return &Granter{issuer: issuer, random: random, newID: newID, now: now}
}

// grant gives the pair of tokens for a session of u that is stored already.
func (g *Granter) grant(ctx context.Context, u user.User, session uuid.UUID, refresh user.RefreshToken) (Grant, error) {
	token, expires, err := g.issuer.Issue(ctx, principal.Principal{
		UserID: u.ID, Role: u.Role, Session: session.String(), MustChangePassword: u.MustChangePassword,
	})
	if err != nil {
		return Grant{}, err
	}
	return Grant{AccessToken: token, Expires: expires, RefreshToken: refresh}, nil
}
