package jwks

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// ErrSecret says that the stored signing keys were sealed under another secret.
var ErrSecret = errors.New("the signing keys in the database cannot be opened with this MILLRACE_SECRET_KEY: " +
	"start with the one that they were made with, on every replica")

// errSealed says that one key does not open.
var errSealed = errors.New("signing key does not open")

// sealer keeps private keys from those who can read the database: AES-256-GCM under a key derived from the secret, bound to the key's ID
// and public half, so that a row that somebody else made does not open.
type sealer struct {
	aead   cipher.AEAD
	random io.Reader
}

func newSealer(secret []byte, random io.Reader) (*sealer, error) {
	if len(secret) == 0 {
		return nil, errors.New("MILLRACE_SECRET_KEY is empty: signing keys cannot be sealed")
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "millrace signing keys v1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the sealing key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make the sealing cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make the sealing cipher: %w", err)
	}
	return &sealer{aead: aead, random: random}, nil
}

func (s *sealer) seal(id string, private ed25519.PrivateKey) ([]byte, error) {
	nonce := make([]byte, s.aead.NonceSize())
	if _, err := io.ReadFull(s.random, nonce); err != nil {
		return nil, fmt.Errorf("draw a nonce: %w", err)
	}
	return s.aead.Seal(nonce, nonce, private.Seed(), bound(id, publicOf(private))), nil
}

func (s *sealer) open(k StoredKey) (ed25519.PrivateKey, error) {
	size := s.aead.NonceSize()
	if len(k.Sealed) < size {
		return nil, errSealed
	}
	seed, err := s.aead.Open(nil, k.Sealed[:size], k.Sealed[size:], bound(k.ID, k.Public))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errSealed
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func bound(id string, public []byte) []byte { return append([]byte(id+"\x00"), public...) }

func publicOf(private ed25519.PrivateKey) ed25519.PublicKey {
	public, _ := private.Public().(ed25519.PublicKey)
	return public
}
