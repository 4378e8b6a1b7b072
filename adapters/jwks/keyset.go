package jwks

import (
	"context"
	"crypto/ed25519"
	"errors"
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
	loadTimeout  = 1500 * time.Millisecond // shorter than retryEvery: a source that hangs is left alone in between
	patience     = 500 * time.Millisecond  // how long a caller waits for a load
)

// keySet holds public keys and loads them again when they are old or a token names an unknown one. While they cannot be
// loaded, the known ones stay good. A load is shared by all who wait for it, and nobody waits for it whose key is known.
type keySet struct {
	load loadKeys
	now  func() time.Time

	keys   atomic.Pointer[map[string]ed25519.PublicKey]
	loaded atomic.Int64 // when, in nanoseconds; 0: never

	mu      sync.Mutex
	running chan struct{} // closed at the end of the load that runs; nil: none does
	budget  *rate.Limiter
	tried   time.Time
	failed  error // of the last load; nil where it succeeded
}

type loadKeys func(ctx context.Context) (map[string]ed25519.PublicKey, error)

func (s *keySet) begin(load loadKeys, now func() time.Time) {
	s.load, s.now, s.budget = load, now, rate.NewLimiter(rate.Every(retryEvery), loadBurst)
}

// Key implements KeySource. It waits for a load only where the key is not known, and not for long.
func (s *keySet) Key(ctx context.Context, id string) (ed25519.PublicKey, error) {
	if key, ok := s.known(id); ok {
		if s.age() >= refreshEvery {
			s.reload(ctx)
		}
		return key, nil
	}
	ended := s.await(ctx)
	if key, ok := s.known(id); ok {
		return key, nil
	}
	if !ended {
		return nil, errKeysAway.Because(errLoading)
	}
	if err := s.failure(); err != nil {
		return nil, errKeysAway.Because(err)
	}
	return nil, errUnknownKey
}

var errLoading = errors.New("the public keys are still being loaded")

func (s *keySet) known(id string) (ed25519.PublicKey, bool) {
	keys := s.keys.Load()
	if keys == nil {
		return nil, false
	}
	key, ok := (*keys)[id]
	return key, ok
}

// age returns how long ago the keys were loaded.
func (s *keySet) age() time.Duration { return time.Duration(s.now().UnixNano() - s.loaded.Load()) }

// failure returns why the last load failed; nil where it succeeded, or none has ended yet.
func (s *keySet) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// await has the keys loaded and waits for that, for at most patience and while ctx lasts. It reports whether no load runs any more.
func (s *keySet) await(ctx context.Context) bool {
	running := s.reload(ctx)
	if running == nil {
		return true
	}
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case <-running:
		return true
	case <-enough.C:
	case <-ctx.Done():
	}
	return false
}

// reload begins to load the keys, unless a load runs or it is too early for one, and returns a channel that is closed when the load that
// runs has ended; nil where none does. ctx does not end the load: others wait for it too.
func (s *keySet) reload(ctx context.Context) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return s.running
	}
	now := s.now()
	if s.failed != nil && now.Sub(s.tried) < retryEvery || !s.budget.AllowN(now, 1) {
		return nil
	}
	s.tried, s.running = now, make(chan struct{})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	go func() { // ends within loadTimeout
		defer cancel()
		s.loadOnce(ctx)
	}()
	return s.running
}

func (s *keySet) loadOnce(ctx context.Context) {
	keys, err := s.load(ctx)
	if err == nil {
		s.set(keys)
	} else {
		err = fmt.Errorf("load the public keys: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
	close(s.running)
	s.running = nil
}

func (s *keySet) set(keys map[string]ed25519.PublicKey) {
	s.keys.Store(&keys)
	s.loaded.Store(s.now().UnixNano())
}
