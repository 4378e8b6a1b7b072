package sqldb

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/app/limit"
)

// Limits counts in the database how often things are done, so that replicas agree and a restart forgets nothing. A bucket of tokens
// is one row with one number: when it will be full again. What is not there is full.
//
// The clock is the process's, so that tests can move it. A replica whose clock is ahead gives out too many tokens, but only as many as flow
// in during the difference. Each statement commits by itself, so that no bucket stays locked.
type Limits struct {
	db  *DB
	key []byte
	now func() time.Time
}

// NewLimits gives the limits in db. key hashes the names of buckets, which hold addresses and worse.
func NewLimits(db *DB, key []byte, now func() time.Time) *Limits {
	return &Limits{db: db, key: key, now: now}
}

// takeAttempts bounds how often Take looks again at a bucket that others change meanwhile.
const takeAttempts = 5

// Take takes n tokens out of a bucket and gives 0, or takes none and gives the time until there are n. n is at most rule.Burst.
func (l *Limits) Take(ctx context.Context, bucket string, rule limit.Rule, n int) (wait time.Duration, err error) {
	if n < 1 || n > rule.Burst {
		return 0, fmt.Errorf("take %d tokens out of a bucket of %d", n, rule.Burst)
	}
	for range takeAttempts {
		if wait, err = l.take(ctx, bucket, rule, n); err != nil {
			return 0, fmt.Errorf("take from a limit: %w", err)
		}
		if wait >= 0 {
			return wait, nil
		}
	}
	return time.Second, nil // everybody else got some meanwhile
}

// changed is the answer of take where the bucket was not what it had been a moment ago.
const changed = time.Duration(-1)

func (l *Limits) take(ctx context.Context, bucket string, rule limit.Rule, n int) (time.Duration, error) {
	id, now := l.hash(bucket), Micros(l.now())
	cost, empty := rule.Cost(n).Microseconds(), now+rule.Per.Microseconds()
	met, err := l.db.single(ctx, "UPDATE limit_buckets SET full_at = CASE WHEN full_at < ? THEN ? ELSE full_at + ? END"+
		" WHERE bucket = ? AND full_at <= ?", now, now+cost, cost, id, empty-cost)
	if err != nil || met == 1 {
		return 0, err
	}
	var fullAt int64
	err = l.db.QueryRow(ctx, "SELECT full_at FROM limit_buckets WHERE bucket = ?", id).Scan(&fullAt)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		made, err := l.db.single(ctx, l.db.dialect.InsertIgnore()+" limit_buckets (bucket, full_at) VALUES (?, ?)", id, now+cost)
		if err != nil || made == 1 {
			return 0, err
		}
		return changed, nil
	case err != nil:
		return 0, err
	case fullAt <= empty-cost:
		return changed, nil
	case fullAt > empty: // emptier than empty: a clock went back. Nobody waits for that.
		if _, err := l.db.single(ctx, "UPDATE limit_buckets SET full_at = ? WHERE bucket = ? AND full_at = ?", empty, id, fullAt); err != nil {
			return 0, err
		}
		fullAt = empty
	}
	return time.Duration(fullAt-empty+cost) * time.Microsecond, nil
}

// Give puts back n tokens that were taken and not used.
func (l *Limits) Give(ctx context.Context, bucket string, rule limit.Rule, n int) error {
	_, err := l.db.single(ctx, "UPDATE limit_buckets SET full_at = full_at - ? WHERE bucket = ?",
		rule.Cost(n).Microseconds(), l.hash(bucket))
	if err != nil {
		return fmt.Errorf("give back to a limit: %w", err)
	}
	return nil
}

// hash is what is stored of a bucket's name.
func (l *Limits) hash(bucket string) []byte {
	m := hmac.New(sha256.New, l.key)
	m.Write([]byte(bucket))
	return m.Sum(nil)[:16]
}
