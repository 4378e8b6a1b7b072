package eventsql

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/eventsql/dataset"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/query"
)

// pageRows is a usual page and the row that says that there is more.
const pageRows = 51

// someFilters are filters of a history of n events. Windows may cost the two blocks at their ends, and those of events with odd times.
func someFilters(n int) map[string]query.EventFilter {
	at := func(share float64) *time.Time {
		return new(dataset.Begin.Add(time.Duration(share*float64(n)) * time.Second))
	}
	return map[string]query.EventFilter{
		"none": {}, "type": {Type: "order.placed.v1"}, "rare type": {Type: dataset.RareType}, "no such type": {Type: "none.v1"},
		"source": {Source: "/clients/a"}, "key": {Key: "key-17"}, "hot key": {Key: dataset.HotKey}, "request": {CorrelationID: "request-40"},
		"before": {Before: at(.5)}, "long before": {Before: at(.01)}, "after": {After: at(.5)}, "just now": {After: at(.999)},
		"window": {After: at(.3), Before: at(.301)}, "type and window": {Type: "order.placed.v1", Before: at(.5)},
		"rare type and window": {Type: dataset.RareType, Before: at(.5)}, "source and window": {Source: "/clients/a", Before: at(.2)},
		"source and type": {Source: "/millrace/order", Type: "order.placed.v1"}, "key and window": {Key: "key-17", After: at(.2), Before: at(.9)},
		"hot key and window": {Key: dataset.HotKey, Before: at(.1)}, "request and type": {CorrelationID: "request-40", Type: "user.created.v1"},
	}
}

// The filters that are offered do not get slower with the history.
func TestEventFiltersReadWhatTheyFind(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, Migrations, func(t *testing.T, db *sqldb.DB) {
		require.NoError(t, dataset.FillHistory(t.Context(), db, *scale))
		filters := someFilters(*scale)
		for _, name := range slices.Sorted(maps.Keys(filters)) {
			for _, ascending := range []bool{false, true} {
				search := newHistorySearch(db, filters[name], query.Page{Ascending: ascending, Limit: pageRows - 1})
				var err error
				search.index, err = chooseIndex(t.Context(), db, "history", search.equalities)
				require.NoError(t, err)
				read, found := 0, 0
				for found < pageRows {
					r, more, err := search.next(t.Context())
					require.NoError(t, err)
					if !more {
						break
					}
					query, args := search.statement(r, pageRows-found)
					got, examined := runs(t, db, statement{query, args})
					found, read = found+got, read+examined
				}
				odd := min(pageRows, *scale/10_007+1)
				require.LessOrEqual(t, read, 2*found+(3+odd)*blockSize, "%s, ascending: %v: rows read for %d", name, ascending, found)
			}
		}
	})
}

func TestPoisonFiltersReadIndexesAlone(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, Migrations, func(t *testing.T, db *sqldb.DB) {
		const n = 40_000
		require.NoError(t, dataset.FillPoison(t.Context(), db, n))
		at := dataset.Begin.Add(n / 2 * time.Second)
		list := func(f query.PoisonFilter, behind *query.PoisonCursor) statement {
			index, err := chooseIndex(t.Context(), db, "poison", poisonFilters(f))
			require.NoError(t, err)
			query, args := listPoison(db.Dialect(), index, f, behind, pageRows)
			return statement{query, args}
		}
		for _, f := range []query.PoisonFilter{
			{}, {Status: event.StatusOpen}, {Status: event.StatusResolved}, {Consumer: "event-history"}, {Consumer: dataset.RareConsumer},
			{Type: dataset.RarePoisonType}, {Fingerprint: "f7"}, {Key: "key-17"}, {After: &at}, {Before: &at},
			{Consumer: "event-history", Before: &at}, {Consumer: "event-history", Type: dataset.RarePoisonType},
			{Consumer: "event-history", Status: event.StatusResolved}, {Status: event.StatusRequeued, After: &at},
		} {
			for _, behind := range []*query.PoisonCursor{nil, {FailedAt: at, Number: n / 2}} {
				found, read := runs(t, db, list(f, behind))
				require.LessOrEqual(t, read, 4*found+10, "%+v: rows read for %d", f, found)
			}
		}
		// Filters that are joined may read what one of them finds in its index, and no row.
		requireIndexAlone(t, db, list(query.PoisonFilter{Consumer: "order-customers", Status: event.StatusOpen}, nil))
	})
}

// runs runs a statement and returns how many rows it found and how many were read for it. SQLite does not count them: there the plan must
// be a search of an index in order.
func runs(t *testing.T, db *sqldb.DB, s statement) (found, read int) {
	t.Helper()
	if db.Dialect() == sqldb.SQLite {
		requireOrderedSearch(t, db, s)
		return 0, 0
	}
	require.NoError(t, db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		before := rowsRead(ctx, t, tx)
		rows, err := tx.Query(ctx, s.query, s.args...)
		if err != nil {
			return err
		}
		all, err := sqldb.Collect(rows, func(sqldb.Scanner) (struct{}, error) { return struct{}{}, nil })
		found, read = len(all), rowsRead(ctx, t, tx)-before
		return err
	}))
	return found, read
}

// rowsRead returns how many rows and entries of indexes this connection has read.
func rowsRead(ctx context.Context, t *testing.T, tx *sqldb.Tx) (sum int) {
	t.Helper()
	rows, err := tx.Query(ctx, "SHOW SESSION STATUS LIKE 'Handler_read%'")
	require.NoError(t, err)
	counts, err := sqldb.Collect(rows, func(r sqldb.Scanner) (n int, err error) {
		var name string
		err = r.Scan(&name, &n)
		return n, err
	})
	require.NoError(t, err)
	for _, n := range counts {
		sum += n
	}
	return sum
}

// requireOrderedSearch proves that SQLite searches an index, and sorts nothing.
func requireOrderedSearch(t *testing.T, db *sqldb.DB, s statement) {
	t.Helper()
	for _, detail := range planOf(t, db, s) {
		require.NotContains(t, detail, "TEMP B-TREE", s.query)
		if strings.HasPrefix(detail, "SCAN") {
			ordered := detail == "SCAN found" || strings.Contains(detail, "USING COVERING INDEX poison_by_failure")
			require.True(t, ordered, "%s: %s", detail, s.query)
		}
	}
}

func planOf(t *testing.T, db *sqldb.DB, s statement) []string {
	t.Helper()
	rows, err := db.Query(t.Context(), "EXPLAIN QUERY PLAN "+s.query, s.args...)
	require.NoError(t, err)
	details, err := sqldb.Collect(rows, func(r sqldb.Scanner) (detail string, err error) {
		var id, parent, unused int
		err = r.Scan(&id, &parent, &unused, &detail)
		return detail, err
	})
	require.NoError(t, err)
	return details
}

// requireIndexAlone proves that what is found is found in an index.
func requireIndexAlone(t *testing.T, db *sqldb.DB, s statement) {
	t.Helper()
	if db.Dialect() == sqldb.SQLite {
		require.Contains(t, strings.Join(planOf(t, db, s), "\n"), "USING COVERING INDEX poison_by_consumer")
		return
	}
	found, read := runs(t, db, s)
	require.Zero(t, found)
	require.Less(t, read, 25_000, "half of the index, and no row")
}
