package jwks

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/millrace/millrace/app/principal"
)

// What every access token says.
const (
	tokenType = "at+jwt" // RFC 9068: no other JWT of ours or of others is taken for an access token
	issuer    = "millrace"
	audience  = "millrace"
	claimRole = "role"
	claimSID  = "sid"
	claimPwd  = "pwd_change" // true where the password must be changed first; absent otherwise
)

// AccessLasts is how long an access token is good for.
const AccessLasts = 15 * time.Minute

func algorithm() jwa.SignatureAlgorithm { return jwa.EdDSA() }

// Signer issues access tokens.
type Signer struct {
	keys *Keyring
	now  func() time.Time
}

// NewSigner returns a signer with whichever of keys has its turn.
func NewSigner(keys *Keyring, now func() time.Time) *Signer { return &Signer{keys: keys, now: now} }

// Issue gives an access token for p and says when it ends. The token is issued now, whatever p says.
func (s *Signer) Issue(_ context.Context, p principal.Principal) (token string, expires time.Time, err error) {
	key, err := s.keys.signing()
	if err != nil {
		return "", time.Time{}, err
	}
	now := s.now().UTC().Truncate(time.Second)
	expires = now.Add(AccessLasts)
	builder := jwt.NewBuilder().
		Issuer(issuer).Audience([]string{audience}).Subject(uuid.UUID(p.UserID).String()).
		Claim(claimRole, string(p.Role)).Claim(claimSID, p.Session).
		IssuedAt(now).Expiration(expires)
	if p.MustChangePassword {
		builder = builder.Claim(claimPwd, true)
	}
	claims, err := builder.Build()
	if err != nil {
		return "", time.Time{}, fmt.Errorf("write an access token: %w", err)
	}
	claims.Options().Enable(jwt.FlattenAudience)
	headers := jws.NewHeaders()
	for name, value := range map[string]any{jws.TypeKey: tokenType, jws.KeyIDKey: key.id} {
		if err := headers.Set(name, value); err != nil {
			return "", time.Time{}, fmt.Errorf("write an access token: %w", err)
		}
	}
	signed, err := jwt.Sign(claims, jwt.WithKey(algorithm(), key.private, jws.WithProtectedHeaders(headers)))
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign an access token: %w", err)
	}
	return string(signed), expires, nil
}
