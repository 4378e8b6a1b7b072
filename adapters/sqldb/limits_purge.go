package sqldb

import (
	"context"
	"fmt"
	"time"
)

// How full buckets are purged: what is full says no more than what is not there.
const (
	limitsPurgeEvery = time.Minute
	limitsPurgePause = 100 * time.Millisecond // between two steps, for others at the database
	limitsPurgeStep  = 500
	limitsFullFor    = time.Minute // another replica's clock may be behind
)

// Run purges full buckets until ctx ends, so that the table holds no more than the callers of the longest rule's time.
func (l *Limits) Run(ctx context.Context) error {
	every := time.NewTicker(limitsPurgeEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		if err := l.purgeAll(ctx); err != nil && ctx.Err() == nil {
			l.db.log.WarnContext(ctx, "full limits could not be purged", "error", err)
		}
	}
}

func (l *Limits) purgeAll(ctx context.Context) error {
	for {
		n, err := l.Purge(ctx, limitsPurgeStep)
		if err != nil || n < limitsPurgeStep {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(limitsPurgePause):
		}
	}
}

// Purge deletes up to most buckets that have been full for a while, and says how many it met.
func (l *Limits) Purge(ctx context.Context, most int) (int64, error) {
	before := Micros(l.now().Add(-limitsFullFor))
	full, err := l.fullSince(ctx, before, most)
	if err != nil || len(full) == 0 {
		return 0, err
	}
	// By primary key, as Take does, so that the two cannot wait for each other.
	query := "DELETE FROM limit_buckets WHERE bucket IN " + placeholders(len(full)) + " AND full_at < ?" + l.db.dialect.Limit(len(full))
	if _, err := l.db.single(ctx, query, append(full, before)...); err != nil {
		return 0, fmt.Errorf("purge limits: %w", err)
	}
	return int64(len(full)), nil
}

func (l *Limits) fullSince(ctx context.Context, before int64, most int) (full []any, err error) {
	rows, err := l.db.Query(ctx, "SELECT bucket FROM limit_buckets WHERE full_at < ? ORDER BY full_at LIMIT ?", before, most)
	if err != nil {
		return nil, fmt.Errorf("read full limits: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var bucket []byte
		if err := rows.Scan(&bucket); err != nil {
			return nil, fmt.Errorf("read full limits: %w", err)
		}
		full = append(full, bucket)
	}
	return full, rows.Err()
}
