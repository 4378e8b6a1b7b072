package user

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
)

// RefreshToken is a random secret of 256 bits that buys one more pair of tokens. Only its hash is stored.
type RefreshToken struct{ secret [32]byte }

// RefreshTokenHash is what is stored of a refresh token. The secret is random, so a plain hash reveals nothing.
type RefreshTokenHash [sha256.Size]byte

// DrawRefreshToken draws one.
func DrawRefreshToken(random io.Reader) (t RefreshToken, err error) {
	if _, err := io.ReadFull(random, t.secret[:]); err != nil {
		return RefreshToken{}, fmt.Errorf("draw a refresh token: %w", err)
	}
	return t, nil
}

// ParseRefreshToken reads what a client brings. The error is ErrRefreshToken where it cannot be one of ours: a token has one spelling.
func ParseRefreshToken(s string) (t RefreshToken, err error) {
	if len(s) != refreshEncoding.EncodedLen(len(t.secret)) {
		return RefreshToken{}, ErrRefreshToken
	}
	if n, err := refreshEncoding.Decode(t.secret[:], []byte(s)); err != nil || n != len(t.secret) { // it passes over line breaks
		return RefreshToken{}, ErrRefreshToken
	}
	return t, nil
}

// Hash gives what is stored of t.
func (t RefreshToken) Hash() RefreshTokenHash { return sha256.Sum256(t.secret[:]) }

// Reveal gives t as the client keeps it.
func (t RefreshToken) Reveal() string { return refreshEncoding.EncodeToString(t.secret[:]) }

// String keeps t out of logs.
func (t RefreshToken) String() string { return "[refresh token]" }

var refreshEncoding = base64.RawURLEncoding.Strict()
