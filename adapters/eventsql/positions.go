package eventsql

import (
	"context"
	"fmt"
	"strings"
)

// Unpositioned implements command.Store.
func (s *Store) Unpositioned(ctx context.Context) (bool, error) {
	var waiting bool
	err := s.db.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM history WHERE position IS NULL)").Scan(&waiting)
	return waiting, err
}

// AssignPositions implements command.Tx. The lock on the one row of history_position makes whoever numbers wait for the commit of
// the one before, and it is taken before the waiting events are read: whatever has a position by then is not read again.
func (t tx) AssignPositions(ctx context.Context, limit int) (int, error) {
	var last int64
	err := t.QueryRow(ctx, "SELECT last FROM history_position WHERE id = 1"+t.dialect.ForUpdate()).Scan(&last)
	if err != nil {
		return 0, fmt.Errorf("lock the position: %w", err)
	}
	ids, err := t.unpositioned(ctx, limit)
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
	if _, err := t.Exec(ctx, "UPDATE history_position SET last = ? WHERE id = 1", last+affected); err != nil {
		return 0, fmt.Errorf("advance the position: %w", err)
	}
	return len(ids), nil
}

func (t tx) unpositioned(ctx context.Context, limit int) (ids []int64, err error) {
	rows, err := t.Query(ctx, "SELECT id FROM history WHERE position IS NULL ORDER BY id LIMIT ?", limit)
	if err != nil {
		return nil, fmt.Errorf("read events without a position: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read events without a position: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// assignment is the statement that gives ids, which ascend, the positions behind last. Neighbours are the same distance from their
// positions, so it names the distance of each run of neighbours, not of each row: mostly there is one run.
func assignment(ids []int64, last int64) (statement string, args []any) {
	var cases strings.Builder
	for i, id := range ids {
		if i+1 == len(ids) || ids[i+1] != id+1 { // the end of a run
			cases.WriteString(" WHEN id <= ? THEN id + ?")
			args = append(args, id, last+int64(i)+1-id)
		}
	}
	for _, id := range ids {
		args = append(args, id)
	}
	places := strings.Repeat(", ?", len(ids))[2:]
	return "UPDATE history SET position = CASE" + cases.String() + " END WHERE id IN (" + places + ")", args
}
