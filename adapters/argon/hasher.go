// Package argon hashes passwords with argon2id, a bounded number at a time.
package argon

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/millrace/millrace/app/limit"

	"golang.org/x/crypto/argon2"

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

// Hasher hashes and verifies passwords. Each takes 46 MiB for some tens of milliseconds, so that a flood of sign-ins would
// otherwise exhaust memory.
type Hasher struct {
	queue  *queue
	random io.Reader
}

// New returns a hasher that runs up to atOnce hashes at the same time (at least one) and draws salts from random.
func New(atOnce int, random io.Reader) *Hasher {
	return &Hasher{queue: newQueue(atOnce), random: random}
}

// Room fails with ErrBusy where an attempt from an origin would be refused now, so that a caller can refuse it before it costs anything.
func (h *Hasher) Room(from limit.Origin) error { return h.queue.room(from) }

// Hash gives the password's hash in PHC format, with a salt of its own. The error is ErrBusy, or ctx's where it ended.
func (h *Hasher) Hash(ctx context.Context, from limit.Origin, password string) (string, error) {
	p := phc{memory: memory, passes: passes, threads: threads, salt: make([]byte, saltLen)}
	if _, err := io.ReadFull(h.random, p.salt); err != nil {
		return "", fmt.Errorf("draw a salt: %w", err)
	}
	key, err := h.derive(ctx, from, p.sized(keyLen), password)
	if err != nil {
		return "", err
	}
	p.key = key
	return p.String(), nil
}

// Verify reports whether password is the one that hash was made of, with the parameters that hash names. It takes the same
// time whatever differs. A hash that cannot be read is an error and no mismatch.
func (h *Hasher) Verify(ctx context.Context, from limit.Origin, hash, password string) (bool, error) {
	p, err := parse(hash)
	if err != nil {
		return false, err
	}
	key, err := h.derive(ctx, from, p.sized(len(p.key)), password)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, p.key) == 1, nil
}

// derivation is what makes a key of a password.
type derivation struct {
	phc

	length uint32
}

func (p phc) sized(length int) derivation { return derivation{p, uint32(length)} }

// derive waits for its share of the memory. A stored hash that needs more than there is takes all of it.
func (h *Hasher) derive(ctx context.Context, from limit.Origin, d derivation, password string) ([]byte, error) {
	done, err := h.queue.acquire(ctx, from, int64(d.memory))
	if err != nil {
		return nil, fmt.Errorf("wait to hash a password: %w", err)
	}
	defer done()
	return argon2.IDKey([]byte(password), d.salt, d.passes, d.memory, d.threads, d.length), nil
}
