package usersql

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/millrace/millrace/adapters/sqldb"
)

// How sessions that are over are purged.
const (
	purgeEvery = time.Minute
	purgePause = 100 * time.Millisecond // between two steps, for others at the database
	purgeStep  = 200
)

// Purger deletes sessions that are over, their refresh tokens, and from where users signed in long ago. Replicas may do so at once.
type Purger struct {
	db  *sqldb.DB
	now func() time.Time
	log *slog.Logger
}

// NewPurger returns a purger of db.
func NewPurger(db *sqldb.DB, now func() time.Time, log *slog.Logger) *Purger {
	return &Purger{db: db, now: now, log: log}
}

// Run purges until ctx ends.
func (p *Purger) Run(ctx context.Context) error {
	every := time.NewTicker(purgeEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		if err := p.purgeAll(ctx); err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "sessions that are over could not be purged", "error", err)
		}
	}
}

func (p *Purger) purgeAll(ctx context.Context) error {
	for {
		n, err := p.Purge(ctx, purgeStep)
		if err != nil || n < purgeStep {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(purgePause):
		}
	}
}

// Purge deletes up to most rows of each table, and says how many it met in that with the most.
func (p *Purger) Purge(ctx context.Context, most int) (met int, err error) {
	for _, table := range []struct{ name, key string }{{"sessions", "id"}, {"refresh_tokens", "hash"}, {"sign_in_addresses", "mark"}} {
		n, err := p.step(ctx, table.name, table.key, most)
		if err != nil {
			return 0, err
		}
		met = max(met, n)
	}
	return met, nil
}

func (p *Purger) step(ctx context.Context, table, key string, most int) (int, error) {
	before := sqldb.Micros(p.now())
	over, err := p.over(ctx, "SELECT "+key+" FROM "+table+" WHERE expires_at <= ? LIMIT ?", before, most)
	if err != nil || len(over) == 0 {
		return 0, err
	}
	// By primary key, as a refresh does, so that the two cannot wait for each other; and only what was not refreshed meanwhile.
	err = p.db.Atomically(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		for _, id := range over {
			if _, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE "+key+" = ? AND expires_at <= ?", id, before); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("purge %s: %w", table, err)
	}
	return len(over), nil
}

func (p *Purger) over(ctx context.Context, query string, args ...any) (over [][]byte, err error) {
	rows, err := p.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read what is over: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read what is over: %w", err)
		}
		over = append(over, id)
	}
	return over, rows.Err()
}
