package sqldb

import (
	"context"
	"fmt"
	"time"
)

const (
	// failuresKeptFor is counted from the last failure. An event fails, waits and is given up within minutes; what comes back later was
	// requeued, and begins a round of its own.
	failuresKeptFor = 30 * 24 * time.Hour
	// seenKeptFor must be longer than an event without a sequence can come again: from the outbox (an hour), the poison queue, or the
	// stream, where its consumer has to be made anew. A stream that keeps its events for longer than this may have such an event applied
	// twice. Millrace's own events have sequences, and the place of a key is never forgotten.
	seenKeptFor = 365 * 24 * time.Hour
)

// Failures deletes up to most counts of events that have not failed for long, and says how many it met.
func (p *Purge) Failures(ctx context.Context, most int) (int, error) {
	return p.keyed(ctx, "failures", "consumer, '', event_id", "consumer = ? AND '' = ? AND event_id = ?", "last_failed_at",
		p.now().Add(-failuresKeptFor), most)
}

// Seen deletes up to most events without a sequence that cannot come again, and says how many it met.
func (p *Purge) Seen(ctx context.Context, most int) (int, error) {
	return p.keyed(ctx, "inbox_seen", "consumer, source, event_id", "consumer = ? AND source = ? AND event_id = ?", "seen_at",
		p.now().Add(-seenKeptFor), most)
}

// keyed is before for a table whose primary key has several columns.
func (p *Purge) keyed(ctx context.Context, table, keys, is, at string, limit time.Time, most int) (int, error) {
	rows, err := p.db.Query(ctx, "SELECT "+keys+" FROM "+table+" WHERE "+at+" < ? ORDER BY "+at+" LIMIT ?", Micros(limit), most)
	if err != nil {
		return 0, fmt.Errorf("read what is to be purged: %w", err)
	}
	over, err := scanKeys(rows)
	if err != nil || len(over) == 0 {
		return 0, err
	}
	err = p.db.Atomically(ctx, func(ctx context.Context, tx *Tx) error {
		for _, key := range over {
			if _, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE "+is+" AND "+at+" < ?", append(key, Micros(limit))...); err != nil {
				return fmt.Errorf("purge: %w", err)
			}
		}
		return nil
	})
	return len(over), err
}

func scanKeys(rows *Rows) (keys [][]any, err error) {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var (
			consumer, source string
			id               []byte
		)
		if err := rows.Scan(&consumer, &source, &id); err != nil {
			return nil, fmt.Errorf("read what is to be purged: %w", err)
		}
		keys = append(keys, []any{consumer, source, id})
	}
	return keys, rows.Err()
}
