package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/app/outbox"
)

// Acquire implements relay.Outbox.
func (o *Outbox) Acquire(ctx context.Context, holder string, ttl time.Duration) (epoch int64, held bool, err error) {
	now := o.db.dialect.now()
	taken, err := o.db.single(ctx, "UPDATE lease SET holder = ?, epoch = epoch + 1, expires_at = "+now+
		" + ? WHERE name = 'relay' AND expires_at < "+now, holder, ttl.Microseconds())
	if err != nil {
		return 0, false, err
	}
	if taken == 0 {
		return 0, false, o.bound(ctx, ttl)
	}
	err = o.db.QueryRow(ctx, "SELECT epoch FROM lease WHERE name = 'relay' AND holder = ?", holder).Scan(&epoch)
	if errors.Is(err, sql.ErrNoRows) { // another took it before we could look
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read the lease: %w", err)
	}
	return epoch, true, nil
}

// bound shortens a lease that ends later than one taken now would: the database's clock went back since, and nobody could take it over
// until the clock is there again. Its holder, if there still is one, renews it or stops within ttl.
func (o *Outbox) bound(ctx context.Context, ttl time.Duration) error {
	now := o.db.dialect.now()
	var beyond bool
	err := o.db.QueryRow(ctx, "SELECT expires_at > "+now+" + ? FROM lease WHERE name = 'relay'", ttl.Microseconds()).Scan(&beyond)
	if err != nil {
		return fmt.Errorf("read the lease: %w", err)
	}
	if !beyond {
		return nil
	}
	_, err = o.db.single(ctx, "UPDATE lease SET expires_at = "+now+" + ? WHERE name = 'relay' AND expires_at > "+now+" + ?",
		ttl.Microseconds(), ttl.Microseconds())
	return err
}

// Renew implements relay.Outbox.
func (o *Outbox) Renew(ctx context.Context, epoch int64, ttl time.Duration) error {
	renewed, err := o.db.single(ctx, "UPDATE lease SET expires_at = "+o.db.dialect.now()+" + ? WHERE name = 'relay' AND epoch = ?",
		ttl.Microseconds(), epoch)
	if err != nil {
		return err
	}
	if renewed == 0 {
		return outbox.ErrLeaseLost
	}
	return nil
}

// Release implements relay.Outbox.
func (o *Outbox) Release(ctx context.Context, epoch int64) error {
	_, err := o.db.single(ctx, "UPDATE lease SET expires_at = 0 WHERE name = 'relay' AND epoch = ?", epoch)
	return err
}

// single runs one statement that commits by itself. On MySQL it takes a reading connection, so that a lease is renewed while all
// writers wait for locks; SQLite has but the one writer.
func (db *DB) single(ctx context.Context, query string, args ...any) (affected int64, err error) {
	if db.dialect == SQLite {
		err = db.Atomically(ctx, func(ctx context.Context, tx *Tx) (err error) {
			affected, err = tx.Exec(ctx, query, args...)
			return err
		})
		return affected, err
	}
	if err := db.usable(); err != nil {
		return 0, err
	}
	result, err := db.readers.ExecContext(ctx, query, args...)
	if err != nil {
		db.remember(err)
		return 0, classify(err)
	}
	return result.RowsAffected()
}
