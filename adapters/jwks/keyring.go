// Package jwks makes and checks access tokens. A Keyring holds the signing keys that the user service keeps in its database,
// a Signer issues tokens under them, Remote fetches the public halves from a user service elsewhere, and a Verifier checks
// tokens with the keys of either.
package jwks

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

// KeyStore keeps signing keys.
type KeyStore interface {
	// Keys gives all keys, the oldest first.
	Keys(ctx context.Context) ([]StoredKey, error)
	// AddKey stores k behind the key newest, which is empty for the first, and says so; it changes nothing where another key has
	// been stored behind that one.
	AddKey(ctx context.Context, k StoredKey, newest string) (added bool, err error)
	// DeleteKeys removes keys, their private halves with them. One that is not there is no error.
	DeleteKeys(ctx context.Context, ids ...string) error
}

// StoredKey is one key pair at rest.
type StoredKey struct {
	ID        string // the thumbprint of the public key (RFC 7638); a token's kid
	Public    []byte // Ed25519, 32 bytes
	Sealed    []byte // the private key, encrypted under the secret
	CreatedAt time.Time
}

// KeyringConfig is what a Keyring is made of.
type KeyringConfig struct {
	Store  KeyStore
	Secret []byte // seals the private keys; the same on every replica
	Random io.Reader
	Now    func() time.Time
	Logger *slog.Logger
}

// Keyring is the user service's keys: it signs with one and gives the public halves of all.
type Keyring struct {
	keySet

	cfg    KeyringConfig
	sealer *sealer
	opened atomic.Pointer[keyPairs] // nil before Open
}

// keyPairs are the keys that open, oldest first and never none, and the newest of those that are stored.
type keyPairs struct {
	pairs  []keyPair
	newest string
}

type keyPair struct {
	id      string
	private ed25519.PrivateKey
	made    time.Time
}

// NewKeyring gives a keyring that does not touch its store before Open. The error is that of a secret that cannot seal.
func NewKeyring(cfg KeyringConfig) (*Keyring, error) {
	sealer, err := newSealer(cfg.Secret, cfg.Random)
	if err != nil {
		return nil, err
	}
	k := &Keyring{cfg: cfg, sealer: sealer}
	k.begin(k.public, cfg.Now)
	return k, nil
}

// Open reads the keys from the store and makes the first where there is none; before it, nothing can be signed. Replicas that do so
// at once may each add one, and take each other's tokens. The error is ErrSecret where none of the stored keys opens.
func (k *Keyring) Open(ctx context.Context) error {
	if err := k.Rotate(ctx); err != nil {
		return err
	}
	if k.opened.Load() == nil {
		return errors.New("the signing key that was just stored is not there")
	}
	return nil
}

// read opens the stored keys. One that does not open is left out: somebody else may have made its public half.
func (k *Keyring) read(ctx context.Context) (keys keyPairs, err error) {
	stored, err := k.cfg.Store.Keys(ctx)
	if err != nil {
		return keys, fmt.Errorf("read the signing keys: %w", err)
	}
	for _, s := range stored {
		keys.newest = s.ID
		private, err := k.sealer.open(s)
		if err != nil {
			k.cfg.Logger.WarnContext(ctx, "signing key does not open and is not used", slog.String("key_id", s.ID))
			continue
		}
		keys.pairs = append(keys.pairs, keyPair{id: s.ID, private: private, made: s.CreatedAt})
	}
	if len(stored) > 0 && len(keys.pairs) == 0 {
		return keys, ErrSecret
	}
	return keys, nil
}

// use makes keys those that sign and verify from now on.
func (k *Keyring) use(keys keyPairs) {
	k.set(k.take(keys))
}

// public reads the keys anew and gives their public halves.
func (k *Keyring) public(ctx context.Context) (map[string]ed25519.PublicKey, error) {
	keys, err := k.read(ctx)
	if err != nil {
		return nil, err
	}
	return k.take(keys), nil
}

func (k *Keyring) take(keys keyPairs) map[string]ed25519.PublicKey {
	public := make(map[string]ed25519.PublicKey, len(keys.pairs))
	for _, p := range keys.pairs {
		public[p.id] = publicOf(p.private)
	}
	if len(keys.pairs) > 0 {
		k.opened.Store(&keys)
	}
	return public
}

// signing is the pair that signs now: the newest that has been published for long enough, or else the oldest.
func (k *Keyring) signing() (keyPair, error) {
	keys := k.opened.Load()
	if keys == nil {
		return keyPair{}, errKeysAway
	}
	for _, p := range slices.Backward(keys.pairs) {
		if k.now().Sub(p.made) >= PublishAhead {
			return p, nil
		}
	}
	return keys.pairs[0], nil
}

// documentEvery is how old a served key set may be: a replica that was started just now may have added a key.
const documentEvery = 10 * time.Second

// Document gives the public keys as a JSON Web Key Set, as it stands at /.well-known/jwks.json. While the database is away it
// gives the keys as they were, and waits for it no longer than a moment.
func (k *Keyring) Document(ctx context.Context) ([]byte, error) {
	if k.age() >= documentEvery {
		k.await(ctx)
	}
	keys := k.opened.Load()
	if keys == nil {
		return nil, errKeysAway
	}
	return document(keys.pairs)
}

func document(pairs []keyPair) ([]byte, error) {
	set := jwk.NewSet()
	for _, p := range pairs {
		key, err := jwk.Import(publicOf(p.private))
		if err != nil {
			return nil, fmt.Errorf("write public key %s: %w", p.id, err)
		}
		for name, value := range map[string]any{jwk.KeyIDKey: p.id, jwk.AlgorithmKey: algorithm(), jwk.KeyUsageKey: "sig"} {
			if err := key.Set(name, value); err != nil {
				return nil, fmt.Errorf("write public key %s: %w", p.id, err)
			}
		}
		if err := set.AddKey(key); err != nil {
			return nil, fmt.Errorf("write public key %s: %w", p.id, err)
		}
	}
	data, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("write the key set: %w", err)
	}
	return data, nil
}

func thumbprint(public ed25519.PublicKey) (string, error) {
	key, err := jwk.Import(public)
	if err != nil {
		return "", fmt.Errorf("name a signing key: %w", err)
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("name a signing key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
