// Package argon hashes passwords with argon2id, a bounded number at a time.
package argon

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"

	"github.com/millrace/millrace/app/fault"
)

// ErrBusy says that too many passwords wait to be hashed. Nothing happened.
var ErrBusy = fault.New(fault.Unavailable, "busy", "Too many sign-ins at this moment; try again shortly.")

// What a new hash costs: OWASP's first recommendation for argon2id with one thread.
const (
	memory  = 47104 // KiB
	passes  = 1
	threads = 1
	saltLen = 16
	keyLen  = 32
)

// maxWait is how long a password waits for its turn; beyond it, more waiting would only feed a queue that cannot be served.
const maxWait = 10 * time.Second

// Hasher hashes and verifies passwords. Each takes 46 MiB for some tens of milliseconds, so that a flood of sign-ins would
// otherwise exhaust memory.
type Hasher struct {
	budget *semaphore.Weighted // KiB that may be in use at once
	limit  int64
	random io.Reader
}

// New returns a hasher that runs up to atOnce hashes at the same time (at least one) and draws salts from random.
func New(atOnce int, random io.Reader) *Hasher {
	limit := int64(max(atOnce, 1)) * memory
	return &Hasher{budget: semaphore.NewWeighted(limit), limit: limit, random: random}
}

// Hash gives the password's hash in PHC format, with a salt of its own. The error is ErrBusy, or ctx's where it ended.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	p := phc{memory: memory, passes: passes, threads: threads, salt: make([]byte, saltLen)}
	if _, err := io.ReadFull(h.random, p.salt); err != nil {
		return "", fmt.Errorf("draw a salt: %w", err)
	}
	key, err := h.derive(ctx, p, password, keyLen)
	if err != nil {
		return "", err
	}
	p.key = key
	return p.String(), nil
}

// Verify reports whether password is the one that hash was made of, with the parameters that hash names. It takes the same
// time whatever differs. A hash that cannot be read is an error and no mismatch.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (bool, error) {
	p, err := parse(hash)
	if err != nil {
		return false, err
	}
	key, err := h.derive(ctx, p, password, uint32(len(p.key)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, p.key) == 1, nil
}

// derive waits for its share of the memory. A stored hash that needs more than there is takes all of it.
func (h *Hasher) derive(ctx context.Context, p phc, password string, length uint32) ([]byte, error) {
	share := min(int64(p.memory), h.limit)
	turn, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	if err := h.budget.Acquire(turn, share); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("wait to hash a password: %w", ctx.Err())
		}
		return nil, ErrBusy
	}
	defer h.budget.Release(share)
	return argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.threads, length), nil
}
