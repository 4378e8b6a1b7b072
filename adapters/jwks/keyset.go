package jwks

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/millrace/millrace/app/fault"
)

// KeySource gives the public key of an ID. The error is of kind Unauthenticated where there is no such key, and Unavailable
// where it cannot be known now.
type KeySource interface {
	Key(ctx context.Context, id string) (ed25519.PublicKey, error)
}

var (
	errUnknownKey = fault.New(fault.Unauthenticated, "invalid_token", "The access token's key is not known.")
	errKeysAway   = fault.New(fault.Unavailable, "keys_unavailable",
		"The keys that check access tokens cannot be had now; try again shortly.")
)

// How often keys are loaded: loadBurst times at once and then not more often than retryEvery, whatever tokens come (replicas
// that start together add their keys within moments), after a failure not before retryEvery; and at least every refreshEvery
// while tokens do come, so that a key that was withdrawn is not trusted for long.
const (
	loadBurst    = 5
	retryEvery   = 2 * time.Second
	refreshEvery = 5 * time.Minute
	loadTimeout  = 3 * time.Second
)

// keySet holds public keys and loads them again when they are old or a token names an unknown one. While they cannot be
// loaded, the known ones stay good.
type keySet struct {
	load loadKeys
	now  func() time.Time

	keys   atomic.Pointer[map[string]ed25519.PublicKey]
	loaded atomic.Int64 // when, in nanoseconds; 0: never

	mu     sync.Mutex // of one load at a time
	budget *rate.Limiter
	tried  time.Time
	failed error // of the last try
}

type loadKeys func(ctx context.Context) (map[string]ed25519.PublicKey, error)

func (s *keySet) begin(load loadKeys, now func() time.Time) {
	s.load, s.now, s.budget = load, now, rate.NewLimiter(rate.Every(retryEvery), loadBurst)
}

// Key implements KeySource.
func (s *keySet) Key(ctx context.Context, id string) (ed25519.PublicKey, error) {
	if key, ok := s.known(id); ok {
		if s.now().UnixNano()-s.loaded.Load() < int64(refreshEvery) || !s.mu.TryLock() {
			return key, nil
		}
		s.reload(ctx)
		s.mu.Unlock()
	} else {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, ok := s.known(id); !ok { // another token may have brought it
			s.reload(ctx)
		}
		if _, ok := s.known(id); !ok && s.failed != nil {
			return nil, errKeysAway.Because(s.failed)
		}
	}
	if key, ok := s.known(id); ok {
		return key, nil
	}
	return nil, errUnknownKey
}

func (s *keySet) known(id string) (ed25519.PublicKey, bool) {
	keys := s.keys.Load()
	if keys == nil {
		return nil, false
	}
	key, ok := (*keys)[id]
	return key, ok
}

// reload loads the keys unless that was tried just now. The request that asks may go away meanwhile; others wait for the
// answer too, so it is not its context that ends the load.
func (s *keySet) reload(ctx context.Context) {
	now := s.now()
	if s.failed != nil && now.Sub(s.tried) < retryEvery || !s.budget.AllowN(now, 1) {
		return
	}
	s.tried = now
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	keys, err := s.load(ctx)
	if err != nil {
		s.failed = fmt.Errorf("load the public keys: %w", err)
		return
	}
	s.failed = nil
	s.set(keys)
}

func (s *keySet) set(keys map[string]ed25519.PublicKey) {
	s.keys.Store(&keys)
	s.loaded.Store(s.now().UnixNano())
}
