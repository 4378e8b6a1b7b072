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
	"strings"
	"sync/atomic"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

// KeyStore keeps signing keys. AddKey of an ID that is there already changes nothing.
type KeyStore interface {
	Keys(ctx context.Context) ([]StoredKey, error)
	AddKey(ctx context.Context, k StoredKey) error
}

// StoredKey is one key pair at rest.
type StoredKey struct {
	ID        string // the thumbprint of the public key (RFC 7638); a token's kid
	Public    []byte // Ed25519, 32 bytes
	Sealed    []byte // the private key, for who has the secret
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

// Keyring is the user service's keys: it signs with the newest and gives the public halves of all.
type Keyring struct {
	keySet

	cfg    KeyringConfig
	sealer *sealer
	opened atomic.Pointer[[]keyPair] // oldest first; nil before Open, never empty
}

type keyPair struct {
	id      string
	private ed25519.PrivateKey
}

// NewKeyring gives a keyring that reaches for its store no sooner than it must. The error is that of a secret that cannot seal.
func NewKeyring(cfg KeyringConfig) (*Keyring, error) {
	sealer, err := newSealer(cfg.Secret, cfg.Random)
	if err != nil {
		return nil, err
	}
	k := &Keyring{cfg: cfg, sealer: sealer}
	k.begin(k.read, cfg.Now)
	return k, nil
}

// Open reads the keys from the store and makes the first where there is none; before it, nothing can be signed. Replicas that do so
// at once each add one, and take each other's tokens. The error is ErrSecret where none of the stored keys opens.
func (k *Keyring) Open(ctx context.Context) error {
	keys, err := k.read(ctx)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		if err := k.add(ctx); err != nil {
			return err
		}
		if keys, err = k.read(ctx); err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		return errors.New("the signing key that was just stored is not there")
	}
	k.set(keys)
	return nil
}

// read opens the stored keys. One that does not open is left out: its public half may be of somebody else's making.
func (k *Keyring) read(ctx context.Context) (map[string]ed25519.PublicKey, error) {
	stored, err := k.cfg.Store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the signing keys: %w", err)
	}
	slices.SortFunc(stored, func(a, b StoredKey) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	pairs, public := make([]keyPair, 0, len(stored)), make(map[string]ed25519.PublicKey, len(stored))
	for _, s := range stored {
		private, err := k.sealer.open(s)
		if err != nil {
			k.cfg.Logger.WarnContext(ctx, "signing key does not open and is not used", slog.String("key_id", s.ID))
			continue
		}
		pairs = append(pairs, keyPair{id: s.ID, private: private})
		public[s.ID] = publicOf(private)
	}
	if len(stored) > 0 && len(pairs) == 0 {
		return nil, ErrSecret
	}
	if len(pairs) > 0 {
		k.opened.Store(&pairs)
	}
	return public, nil
}

func (k *Keyring) add(ctx context.Context) error {
	public, private, err := ed25519.GenerateKey(k.cfg.Random)
	if err != nil {
		return fmt.Errorf("draw a signing key: %w", err)
	}
	id, err := thumbprint(public)
	if err != nil {
		return err
	}
	sealed, err := k.sealer.seal(id, private)
	if err != nil {
		return err
	}
	err = k.cfg.Store.AddKey(ctx, StoredKey{ID: id, Public: public, Sealed: sealed, CreatedAt: k.cfg.Now().UTC()})
	if err != nil {
		return fmt.Errorf("store the first signing key: %w", err)
	}
	return nil
}

// newest is the pair that signs.
func (k *Keyring) newest() (keyPair, error) {
	pairs := k.opened.Load()
	if pairs == nil {
		return keyPair{}, errKeysAway
	}
	return (*pairs)[len(*pairs)-1], nil
}

// documentEvery is how old a served key set may be: a replica that was started just now may have added a key.
const documentEvery = 10 * time.Second

// Document gives the public keys as a JSON Web Key Set, as it stands at /.well-known/jwks.json. While the database is away it
// gives the keys as they were.
func (k *Keyring) Document(ctx context.Context) ([]byte, error) {
	if k.now().UnixNano()-k.loaded.Load() >= int64(documentEvery) && k.mu.TryLock() {
		k.reload(ctx)
		k.mu.Unlock()
	}
	pairs := k.opened.Load()
	if pairs == nil {
		return nil, errKeysAway
	}
	return document(*pairs)
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
