package eventsql

import (
	"cmp"
	"context"
	"fmt"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/query"
)

// Poison implements query.Store.
func (s *Store) Poison(
	ctx context.Context, f query.PoisonFilter, behind *query.PoisonCursor, limit int,
) (poison []event.Poison, more bool, err error) {
	index, err := chooseIndex(ctx, s.db, "poison", poisonFilters(f))
	if err != nil {
		return nil, false, err
	}
	poison, more, err = sqldb.ReadPage(limit, func(last *event.Poison, n int) (*sqldb.Rows, error) {
		if last != nil {
			behind = &query.PoisonCursor{FailedAt: last.LastFailedAt, Number: last.Number}
		}
		statement, args := listPoison(s.db.Dialect(), index, f, behind, n)
		return s.db.Query(ctx, statement, args...)
	}, scanPoison)
	if err != nil {
		return nil, false, fmt.Errorf("read the poison queue: %w", err)
	}
	return poison, more, nil
}

// poisonFilters are the filters by value, the one that usually leaves the fewest messages first.
func poisonFilters(f query.PoisonFilter) []equality {
	return given(
		equality{"partition_key", f.Key, "poison_by_key"}, equality{"fingerprint", f.Fingerprint, "poison_by_fingerprint"},
		equality{"consumer", f.Consumer, "poison_by_consumer"}, equality{"type", f.Type, "poison_by_type"},
		equality{"status", string(f.Status), "poison_by_status"},
	)
}

// listPoison finds the messages in an index, and reads the whole of those alone. Each index is in the order of the list and has what the
// other filters look at, so that messages which they leave out cost no more than their entry.
func listPoison(
	d sqldb.Dialect, index string, f query.PoisonFilter, behind *query.PoisonCursor, n int,
) (statement string, args []any) {
	var w where
	for _, c := range poisonFilters(f) {
		w.equal(c.column, c.value)
	}
	w.between("last_failed_at", f.After, f.Before)
	if behind != nil {
		at := sqldb.Micros(behind.FailedAt)
		w.add("last_failed_at <= ?", at)
		w.add("(last_failed_at < ? OR number < ?)", at, behind.Number)
	}
	index = cmp.Or(index, "poison_by_failure")
	found := "SELECT number AS found_key, last_failed_at AS found_at FROM poison" + d.UseIndex(index) + w.clause() +
		" ORDER BY last_failed_at DESC, number DESC LIMIT ?"
	return "SELECT " + poisonColumns + " FROM " + d.OrderedJoin(found, "poison", "number", "found_at DESC, found_key DESC"), append(w.args, n)
}
