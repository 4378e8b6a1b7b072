package jwks

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
)

// errToken refuses a token; the reason behind it is for the log alone.
var errToken = fault.New(fault.Unauthenticated, "invalid_token", "The access token is not valid, or not any more.")

// leeway is how far the clocks of two machines may be apart where a token ends.
const leeway = 2 * time.Second

// ahead is how far the clock of a token's issuer may be ahead. It is more than leeway, because a token from the future gives nobody more
// than one from now, and refusing it would lock everybody out; from leeway on it is logged.
const ahead = 30 * time.Second

// tellEvery is how often a clock that is ahead is logged.
const tellEvery = time.Minute

// Verifier checks access tokens. It remembers good ones until they end, because checking a signature costs more than the rest of a
// request's edge together.
type Verifier struct {
	keys  KeySource
	now   func() time.Time
	cache *tokenCache
	log   *slog.Logger
	told  atomic.Int64 // when a clock that is ahead was last logged, in nanoseconds
}

// Option changes a Verifier.
type Option func(*Verifier)

// WithLogger has the verifier log when the clock of the tokens' issuer is ahead.
func WithLogger(log *slog.Logger) Option { return func(v *Verifier) { v.log = log } }

// NewVerifier returns a verifier with the keys of source.
func NewVerifier(source KeySource, now func() time.Time, options ...Option) *Verifier {
	v := &Verifier{keys: source, now: now, cache: newTokenCache(cachedTokens), log: slog.New(slog.DiscardHandler)}
	for _, o := range options {
		o(v)
	}
	return v
}

// Verify tells whose token it is. The error is of kind Unauthenticated, or Unavailable where the keys cannot be had.
func (v *Verifier) Verify(ctx context.Context, token string) (principal.Principal, error) {
	sum := sha256.Sum256([]byte(token))
	if good, ok := v.cache.get(sum); ok && v.now().Before(good.expires) {
		// The key may have been withdrawn since.
		key, err := v.keys.Key(ctx, good.keyID)
		if err == nil && bytes.Equal(key, good.key) {
			return good.caller, nil
		}
	}
	good, err := v.check(ctx, token)
	if err != nil {
		return principal.Principal{}, err
	}
	if v.now().Before(good.expires) {
		v.cache.put(sum, good)
	}
	return good.caller, nil
}

// verified is a token that was found good.
type verified struct {
	caller  principal.Principal
	expires time.Time
	keyID   string
	key     ed25519.PublicKey
}

func (v *Verifier) check(ctx context.Context, token string) (verified, error) {
	if !canonical(token) {
		return verified{}, errToken
	}
	var good verified
	var away error
	provide := jws.KeyProviderFunc(func(ctx context.Context, sink jws.KeySink, sig *jws.Signature, _ *jws.Message) error {
		id, err := keyIDOf(sig.ProtectedHeaders())
		if err != nil {
			return err
		}
		good.keyID = id
		if good.key, err = v.keys.Key(ctx, id); err != nil {
			if fault.KindOf(err) == fault.Unavailable {
				away = err
			}
			return err
		}
		sink.Key(algorithm(), good.key)
		return nil
	})
	payload, err := jws.Verify([]byte(token), jws.WithCompact(), jws.WithContext(ctx), jws.WithKeyProvider(provide))
	if away != nil {
		return verified{}, away
	}
	if err != nil {
		return verified{}, errToken.Because(err)
	}
	good.caller, good.expires, err = v.claims(payload)
	if err != nil {
		return verified{}, errToken.Because(err)
	}
	return good, nil
}

// canonical reports whether token is the one spelling of its bytes: a decoder that ignores spare bits would accept sixteen spellings of
// each signature.
func canonical(token string) bool {
	for part := range strings.SplitSeq(token, ".") {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return false
		}
	}
	return true
}

// keyIDOf refuses every header but that of our own access tokens.
func keyIDOf(h jws.Headers) (string, error) {
	if alg, ok := h.Algorithm(); !ok || alg != algorithm() {
		return "", errors.New("is not signed with EdDSA")
	}
	if typ, ok := h.Type(); !ok || typ != tokenType {
		return "", errors.New("is not of type at+jwt")
	}
	if critical, ok := h.Critical(); ok && len(critical) > 0 {
		return "", errors.New("has extensions that must be understood and are not")
	}
	id, ok := h.KeyID()
	if !ok || id == "" {
		return "", errors.New("names no key")
	}
	return id, nil
}

func (v *Verifier) claims(payload []byte) (principal.Principal, time.Time, error) {
	var p principal.Principal
	claims, err := jwt.Parse(payload, jwt.WithVerify(false), jwt.WithValidate(true),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithRequiredClaim(jwt.ExpirationKey), jwt.WithRequiredClaim(jwt.IssuedAtKey),
		jwt.WithClock(jwt.ClockFunc(v.now)), jwt.WithAcceptableSkew(ahead))
	if errors.Is(err, jwt.InvalidIssuedAtError()) {
		v.tellClock(payload)
	}
	if err != nil {
		return p, time.Time{}, err
	}
	if expires, _ := claims.Expiration(); !v.now().Before(expires.Add(leeway)) {
		return p, time.Time{}, errors.New("has expired")
	}
	var role, subject string
	if err := claims.Get(claimRole, &role); err != nil {
		return p, time.Time{}, fmt.Errorf("read the role: %w", err)
	}
	if err := claims.Get(claimSID, &p.Session); err != nil {
		return p, time.Time{}, fmt.Errorf("read the session: %w", err)
	}
	if claims.Has(claimPwd) {
		if err := claims.Get(claimPwd, &p.MustChangePassword); err != nil {
			return p, time.Time{}, fmt.Errorf("read whether the password must be changed: %w", err)
		}
	}
	subject, _ = claims.Subject()
	id, err := uuid.Parse(subject)
	if err != nil {
		return p, time.Time{}, fmt.Errorf("read the subject: %w", err)
	}
	p.UserID, p.Role = id, principal.Role(role)
	if !p.Role.Valid() {
		return p, time.Time{}, errors.New("names an unknown role")
	}
	issued, _ := claims.IssuedAt()
	p.IssuedAt = issued.UTC()
	if issued.Sub(v.now()) > leeway {
		v.tellClock(payload)
	}
	expires, _ := claims.Expiration()
	return p, expires, nil
}

// tellClock logs, once a while, that the clock of the tokens' issuer is ahead of the one here, or this one behind. The payload is signed.
func (v *Verifier) tellClock(payload []byte) {
	claims, err := jwt.ParseInsecure(payload)
	if err != nil {
		return
	}
	issued, _ := claims.IssuedAt()
	now := v.now()
	last := v.told.Load()
	if now.Sub(time.Unix(0, last)) < tellEvery || !v.told.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	v.log.Warn("access tokens are issued in the future: the clock of the user service is ahead of this one, or this one is behind",
		"ahead", issued.Sub(now).Round(time.Second).String(), "refused_from", ahead.String(), "advice", "synchronise the clocks (NTP)")
}
