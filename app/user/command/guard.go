package command

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/limit"
	"github.com/millrace/millrace/app/user"
)

// How often a password may be wrong.
var (
	fromOneForOne = limit.Rule{Burst: 10, Per: 15 * time.Minute}  // for one account from one address
	fromOne       = limit.Rule{Burst: 100, Per: 15 * time.Minute} // from one address, for whatever account
	// forOne slows guesses at one account from many addresses to one every two seconds: strangers lock nobody out.
	forOne = limit.Rule{Burst: 30, Per: time.Minute}
)

// knownFor is how long an address counts as one that a user signs in from.
const knownFor = 6 * 7 * 24 * time.Hour

// Limits keeps buckets of tokens, the same for all replicas.
type Limits interface {
	// Take takes n tokens and gives 0, or takes none and gives the time until there are n.
	Take(ctx context.Context, bucket string, rule limit.Rule, n int) (wait time.Duration, err error)
	// Give puts back n tokens that were taken and not used.
	Give(ctx context.Context, bucket string, rule limit.Rule, n int) error
}

// AddressMark stands for an account and an address it was signed in from. Without the key it reveals neither.
type AddressMark [sha256.Size]byte

// KnownAddresses remembers where users signed in from.
type KnownAddresses interface {
	// SignedInFrom reports whether a sign-in is remembered under mark at a time.
	SignedInFrom(ctx context.Context, mark AddressMark, at time.Time) (bool, error)
}

// Guard stands before every check of a password and counts those that fail, so that neither a stolen access token nor patience is enough
// to guess one.
type Guard struct {
	GuardConfig

	turns *turns
}

// GuardConfig is what a guard needs.
type GuardConfig struct {
	Limits Limits // nil: everything passes
	Known  KnownAddresses
	Hasher Hasher
	Key    []byte // keys the marks of addresses
	Now    func() time.Time
}

// NewGuard returns a guard.
func NewGuard(c GuardConfig) *Guard { return &Guard{GuardConfig: c, turns: newTurns()} }

// attempt is a password given for an account. Where there is no such account its ID is zero, and everything goes on as if there were.
type attempt struct {
	account uuid.UUID
	email   string // normalised
	network string // what is limited as one address

	signedIn bool // as that account
}

// check lets verify decide about the attempt, or fails at once with user.ErrTooManyAttempts. Tokens are taken before verify, so that
// attempts made at once count like attempts made in turn, and given back unless the password was wrong. Where too many wait for the hasher
// it fails before it writes anything: a flood must not cost the database what it does not cost the hasher.
func (g *Guard) check(ctx context.Context, a attempt, verify func(from limit.Origin) (fits bool, err error)) (fits bool, err error) {
	known, err := g.Known.SignedInFrom(ctx, g.mark(a.account, a.network), g.Now())
	if err != nil {
		return false, err
	}
	from := limit.Origin{Network: a.network, Known: known || a.signedIn}
	if g.Limits == nil {
		return verify(from)
	}
	if err := g.Hasher.Room(from); err != nil {
		return false, err
	}
	done, err := g.wait(ctx, a)
	if err != nil {
		return false, err
	}
	defer done()
	taken, err := g.take(ctx, a, known)
	if err != nil {
		return false, err
	}
	fits, err = verify(from)
	if !fits && err == nil {
		return false, nil
	}
	if giving := g.give(ctx, taken); err == nil {
		err = giving
	}
	return fits && err == nil, err
}

// fromOneAtOnce is how many attempts of one address are in work at a time: more than are hashed at once, and far fewer than may fail.
const fromOneAtOnce = 16

// wait runs the attempts at one account from one address one after the other, and those from one address a few at a time. Attempts in
// progress then hold too few tokens to have someone refused who gives the right password.
func (g *Guard) wait(ctx context.Context, a attempt) (done func(), err error) {
	one, err := g.turns.take(ctx, a.email+" from "+a.network, 1)
	if err != nil {
		return nil, err
	}
	all, err := g.turns.take(ctx, a.network, fromOneAtOnce)
	if err != nil {
		one()
		return nil, err
	}
	return func() { all(); one() }, nil
}

// bucket is one that an attempt takes from.
type bucket struct {
	name string
	rule limit.Rule
}

func (g *Guard) take(ctx context.Context, a attempt, known bool) (taken []bucket, err error) {
	// The address's bucket comes first: once it is empty, invented e-mail addresses make no buckets of their own.
	buckets := []bucket{
		{"sign-in from " + a.network, fromOne},
		{"sign-in of " + a.email + " from " + a.network, fromOneForOne},
	}
	if !known {
		buckets = append(buckets, bucket{"sign-in of " + a.email, forOne})
	}
	for i, b := range buckets {
		wait, err := g.Limits.Take(ctx, b.name, b.rule, 1)
		if err != nil {
			return nil, err
		}
		if wait > 0 {
			if err := g.give(ctx, buckets[:i]); err != nil {
				return nil, err
			}
			return nil, user.ErrTooManyAttempts.After(wait)
		}
	}
	return buckets, nil
}

// give puts back what was taken, even if the caller has gone away.
func (g *Guard) give(ctx context.Context, taken []bucket) error {
	for _, b := range taken {
		if err := g.Limits.Give(context.WithoutCancel(ctx), b.name, b.rule, 1); err != nil {
			return err
		}
	}
	return nil
}

func (g *Guard) mark(account uuid.UUID, network string) AddressMark {
	m := hmac.New(sha256.New, g.Key)
	m.Write(account[:])
	m.Write([]byte(network))
	return AddressMark(m.Sum(nil))
}
