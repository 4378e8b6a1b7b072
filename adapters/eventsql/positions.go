package eventsql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/adapters/sqldb"
)

// Unpositioned implements command.Store.
func (s *Store) Unpositioned(ctx context.Context) (bool, error) {
	var waiting bool
	err := s.db.QueryRow(ctx, selectAnyUnpositioned(s.db.Dialect())).Scan(&waiting)
	return waiting, err
}

func selectAnyUnpositioned(d sqldb.Dialect) string {
	return "SELECT EXISTS (SELECT 1 FROM history" + byPosition(d) + " WHERE position IS NULL)"
}

// AssignPositions implements command.Tx. It locks the one row of history_position, and so waits for the commit of whoever numbered before.
// The lock is taken before the waiting events are read, so that none with a position is read again.
func (t tx) AssignPositions(ctx context.Context, limit int, patience time.Time) (int, error) {
	var last int64
	err := t.QueryRow(ctx, "SELECT last FROM history_position WHERE id = 1"+t.dialect.ForUpdate()).Scan(&last)
	if err != nil {
		return 0, fmt.Errorf("lock the position: %w", err)
	}
	ids, times, err := t.inTurn(ctx, limit, patience)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	statement, args := assignment(ids, last)
	affected, err := t.Exec(ctx, statement+t.dialect.Limit(len(ids)), args...)
	if err != nil {
		return 0, fmt.Errorf("set positions: %w", err)
	}
	if affected != int64(len(ids)) {
		return 0, fmt.Errorf("set positions: %d of %d events were there", affected, len(ids))
	}
	if err := t.noteBlocks(ctx, last+1, times); err != nil {
		return 0, err
	}
	if _, err := t.Exec(ctx, "UPDATE history_position SET last = ? WHERE id = 1", last+affected); err != nil {
		return 0, fmt.Errorf("advance the position: %w", err)
	}
	return len(ids), nil
}

// waiting is an event without a position, and its predecessor in the sequence of its key.
type waiting struct {
	id          int64
	free        bool          // it has no predecessor, or has waited for it long enough
	predecessor sql.NullInt64 // its row, where it is recorded
	passed      bool          // that has a position
	time        int64
}

// pages bounds how many pages of waiting events are looked through for those whose turn it is.
const pages = 8

// inTurn gives up to limit rows whose turn it is, in the order of their positions. Behind a page of events that wait for their
// predecessors it looks on: a key whose first event is late holds no other key up.
func (t tx) inTurn(ctx context.Context, limit int, patience time.Time) (ids, times []int64, err error) {
	var (
		candidates []waiting
		after      int64
	)
	byID := map[int64]int64{}
	chosen := map[int64]bool{}
	for range pages {
		page, err := t.unpositioned(ctx, after, limit, patience)
		if err != nil {
			return nil, nil, err
		}
		for _, w := range page {
			byID[w.id] = w.time
		}
		candidates = append(candidates, page...)
		ids = choose(ids, candidates, chosen, limit)
		if len(page) < limit || len(ids) == limit {
			break
		}
		after = page[len(page)-1].id
	}
	for _, id := range ids {
		times = append(times, byID[id])
	}
	return ids, times, nil
}

// choose adds to ids, up to limit, those candidates whose predecessor has a position or was chosen.
func choose(ids []int64, candidates []waiting, chosen map[int64]bool, limit int) []int64 {
	for progress := true; progress; {
		progress = false
		for _, w := range candidates {
			if len(ids) == limit {
				return ids
			}
			if !chosen[w.id] && (w.free || w.passed || chosen[w.predecessor.Int64]) {
				chosen[w.id], progress = true, true
				ids = append(ids, w.id)
			}
		}
	}
	return ids
}

// byPosition keeps MySQL from reading the history by its IDs, as it may where it has seen many events wait: from the first on, for the few
// that do. SQLite keeps no statistics, and always goes by the position.
func byPosition(d sqldb.Dialect) string {
	if d == sqldb.MySQL {
		return d.UseIndex("history_by_position")
	}
	return ""
}

// bySequence keeps a database from looking for a predecessor among all events of a key or a source.
func bySequence(d sqldb.Dialect) string {
	if d == sqldb.MySQL {
		return d.UseIndex("history_key")
	}
	return d.UseIndex("history_sequence")
}

func selectUnpositioned(d sqldb.Dialect) string {
	return "SELECT h.id, h.sequence IS NULL OR h.sequence = 1 OR h.recorded_at < ?, p.id, p.position IS NOT NULL, h.time" +
		" FROM history h" + byPosition(d) + " LEFT JOIN history p" + bySequence(d) +
		" ON p.partition_key = h.partition_key AND p.sequence = h.sequence - 1 AND p.source = h.source" +
		" WHERE h.position IS NULL AND h.id > ? ORDER BY h.id LIMIT ?"
}

func (t tx) unpositioned(ctx context.Context, after int64, limit int, patience time.Time) ([]waiting, error) {
	rows, err := t.Query(ctx, selectUnpositioned(t.dialect), sqldb.Micros(patience), after, limit)
	if err != nil {
		return nil, fmt.Errorf("read events without a position: %w", err)
	}
	return sqldb.Collect(rows, func(r sqldb.Scanner) (w waiting, err error) {
		if err := r.Scan(&w.id, &w.free, &w.predecessor, &w.passed, &w.time); err != nil {
			return w, fmt.Errorf("read events without a position: %w", err)
		}
		return w, nil
	})
}

// assignment is the statement that gives ids the positions behind last. Where neighbours follow each other, they are the same distance
// from their positions, so it names the distance of each such run, not of each row: mostly there is one run.
func assignment(ids []int64, last int64) (statement string, args []any) {
	var cases strings.Builder
	begin := 0
	for i, id := range ids {
		if i+1 == len(ids) || ids[i+1] != id+1 { // the end of a run
			cases.WriteString(" WHEN id BETWEEN ? AND ? THEN id + ?")
			args = append(args, ids[begin], id, last+int64(i)+1-id)
			begin = i + 1
		}
	}
	for _, id := range ids {
		args = append(args, id)
	}
	return "UPDATE history SET position = CASE" + cases.String() + " END WHERE id IN " + sqldb.Placeholders(len(ids)), args
}
