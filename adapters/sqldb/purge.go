package sqldb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/app/idempotency"
)

const (
	purgeEvery = time.Minute
	purgePause = 100 * time.Millisecond // between two steps, for others at the database
	purgeStep  = 500                    // rows of a table
)

// Expiring are the rows of a table that are of no more use a while after a time of their own.
type Expiring struct {
	Table string
	Names []string      // the text columns of the primary key, which come first
	ID    string        // its binary column
	Time  string        // the column of the time
	Index string        // by which rows are found in the order of it
	Kept  time.Duration // how long after that time they stay
}

// expiring are those that every service has.
var expiring = []Expiring{
	// A full bucket says no more than one that is not there. It stays for a minute, because another replica's clock may be behind.
	{Table: "limit_buckets", ID: "bucket", Time: "full_at", Index: "limit_buckets_full", Kept: time.Minute},
	{Table: "idempotency", ID: "id", Time: "created_at", Index: "idempotency_created", Kept: idempotency.KeptFor},
	// An event fails, waits and is given up within minutes. What comes back later was requeued, and begins a round of its own.
	{
		Table: "failures", Names: []string{"consumer"}, ID: "event_id", Time: "last_failed_at", Index: "failures_last",
		Kept: 30 * 24 * time.Hour,
	},
	// This must be longer than an event without a sequence can come again: from the outbox (an hour), the poison queue, or the stream,
	// where its consumer has to be made anew. A stream that keeps its events for longer may have such an event applied twice.
	// Millrace's own events have sequences, and the place of a key is never forgotten.
	{
		Table: "inbox_seen", Names: []string{"consumer", "source"}, ID: "event_id", Time: "seen_at", Index: "inbox_seen_at",
		Kept: 365 * 24 * time.Hour,
	},
}

// Purge deletes expired rows. Replicas may do so at once.
type Purge struct {
	db     *DB
	tables []Expiring
	now    func() time.Time
}

// NewPurge gives the purge of what expires in every service's database and, in this one, of own.
func NewPurge(db *DB, now func() time.Time, own ...Expiring) *Purge {
	return &Purge{db: db, tables: slices.Concat(expiring, own), now: now}
}

// Run purges in small steps until ctx ends.
func (p *Purge) Run(ctx context.Context) error {
	every := time.NewTicker(purgeEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		if err := p.untilDone(ctx); err != nil && ctx.Err() == nil {
			p.db.log.WarnContext(ctx, "expired rows could not be purged", "error", err)
		}
	}
}

// untilDone takes steps while a table may have more to purge. The error is the last step's.
func (p *Purge) untilDone(ctx context.Context) error {
	for {
		met, err := p.Step(ctx, purgeStep)
		if met < purgeStep {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(purgePause):
		}
	}
}

// Step deletes up to most expired rows of each table, and says how many it met in the one with the most. A table that fails keeps no
// other from being purged.
func (p *Purge) Step(ctx context.Context, most int) (met int, err error) {
	for _, table := range p.tables {
		n, failed := p.step(ctx, table, most)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("purge %s: %w", table.Table, failed))
		}
		met = max(met, n)
	}
	return met, err
}

// step reads without locks and deletes what has not been given another time meanwhile. It deletes by primary key, as whoever changes such
// rows does, so that the two cannot wait for each other: the sum keeps MySQL from going by the index of the time.
func (p *Purge) step(ctx context.Context, e Expiring, most int) (met int, err error) {
	until := Micros(p.now().Add(-e.Kept))
	key := slices.Concat(e.Names, []string{e.ID})
	rows, err := p.db.Query(ctx, "SELECT "+strings.Join(key, ", ")+" FROM "+e.Table+p.db.dialect.UseIndex(e.Index)+
		" WHERE "+e.Time+" <= ? ORDER BY "+e.Time+" LIMIT ?", until, most)
	if err != nil {
		return 0, err
	}
	if len(e.Names) > 0 {
		return p.oneByOne(ctx, e, rows, until)
	}
	ids, err := Collect(rows, scanID)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	query := "DELETE FROM " + e.Table + " WHERE " + e.ID + " IN " + Placeholders(len(ids)) + " AND " + e.Time + " + 0 <= ?" +
		p.db.dialect.Limit(len(ids))
	err = p.db.aside(ctx, func(ctx context.Context, tx *Tx) error {
		tx.Erases()
		_, err := tx.Exec(ctx, query, append(ids, until)...)
		return err
	})
	return len(ids), err
}

// oneByOne deletes rows whose key has several columns.
func (p *Purge) oneByOne(ctx context.Context, e Expiring, rows *Rows, until int64) (met int, err error) {
	keys, err := Collect(rows, func(r Scanner) ([]any, error) { return scanKey(r, len(e.Names)) })
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	where := strings.Join(e.Names, " = ? AND ") + " = ? AND " + e.ID + " = ? AND " + e.Time + " + 0 <= ?"
	err = p.db.aside(ctx, func(ctx context.Context, tx *Tx) error {
		for _, key := range keys {
			if _, err := tx.Exec(ctx, "DELETE FROM "+e.Table+" WHERE "+where, append(key, until)...); err != nil {
				return err
			}
		}
		return nil
	})
	return len(keys), err
}

// scanKey reads a key of some names and an ID.
func scanKey(r Scanner, names int) ([]any, error) {
	texts, dest := make([]string, names), make([]any, 0, names+1)
	var id []byte
	for i := range texts {
		dest = append(dest, &texts[i])
	}
	if err := r.Scan(append(dest, &id)...); err != nil {
		return nil, err
	}
	key := make([]any, 0, names+2) // room for the time
	for _, text := range texts {
		key = append(key, text)
	}
	return append(key, id), nil
}
