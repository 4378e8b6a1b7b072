package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/app/idempotency"
)

// How what is of no more use is deleted.
const (
	purgeEvery = time.Minute
	purgePause = 100 * time.Millisecond // between two steps, for others at the database
	purgeStep  = 500
)

// Purge keeps tables small whose rows are of no more use after a time.
type Purge struct {
	db  *DB
	now func() time.Time
}

// NewPurge gives the purge of db.
func NewPurge(db *DB, now func() time.Time) *Purge { return &Purge{db: db, now: now} }

// Run purges in small steps until ctx ends. Each replica does; there is nothing to agree on.
func (p *Purge) Run(ctx context.Context) error {
	every := time.NewTicker(purgeEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		for what, step := range map[string]func(context.Context, int) (int, error){
			"limits": p.Limits, "answers": p.Answers, "failures": p.Failures, "inbox_seen": p.Seen,
		} {
			if err := untilDone(ctx, step); err != nil && ctx.Err() == nil {
				p.db.log.WarnContext(ctx, "a table could not be purged", "table", what, "error", err)
			}
		}
	}
}

func untilDone(ctx context.Context, step func(context.Context, int) (int, error)) error {
	for {
		n, err := step(ctx, purgeStep)
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

// limitsFullFor is how long a bucket has been full when it goes: another replica's clock may be behind.
const limitsFullFor = time.Minute

// Limits deletes up to most buckets that are full, which say no more than those that are not there, and says how many it met.
func (p *Purge) Limits(ctx context.Context, most int) (int, error) {
	return p.before(ctx, old{"limit_buckets", "bucket", "full_at"}, p.now().Add(-limitsFullFor), most)
}

// Answers deletes up to most answers that were kept for long enough, and says how many it met.
func (p *Purge) Answers(ctx context.Context, most int) (int, error) {
	return p.before(ctx, old{"idempotency", "id", "created_at"}, p.now().Add(-idempotency.KeptFor), most)
}

// old are the rows of a table whose time has passed.
type old struct{ table, id, at string }

// before reads without locks and deletes by primary key, so that it waits for nobody who writes elsewhere in the table.
func (p *Purge) before(ctx context.Context, o old, limit time.Time, most int) (int, error) {
	rows, err := p.db.Query(ctx, "SELECT "+o.id+" FROM "+o.table+" WHERE "+o.at+" < ? ORDER BY "+o.at+" LIMIT ?", Micros(limit), most)
	if err != nil {
		return 0, fmt.Errorf("read what is to be purged: %w", err)
	}
	ids, err := scanIDs(rows)
	if err != nil || len(ids) == 0 {
		return 0, wrap("read what is to be purged", err)
	}
	query := "DELETE FROM " + o.table + " WHERE " + o.id + " IN " + placeholders(len(ids)) + " AND " + o.at + " < ?" +
		p.db.dialect.Limit(len(ids))
	_, err = p.db.single(ctx, query, append(ids, Micros(limit))...)
	return len(ids), wrap("purge", err)
}
