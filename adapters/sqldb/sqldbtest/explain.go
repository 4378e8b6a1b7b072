package sqldbtest

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
)

// RowsRead returns how many rows of tables a statement reads on MySQL, and fails the test where it does not go by an index. MariaDB
// executes a SELECT for that and counts; what other statements read, and all of them on MySQL 8, is the server's estimate.
func RowsRead(t testing.TB, db *sqldb.DB, query string, args ...any) (sum int) {
	t.Helper()
	for _, p := range plans(t, db, query, args) {
		if p.table == "" || strings.HasPrefix(p.table, "<") { // no table, or a result that is read through
			continue
		}
		require.NotContains(t, []string{"ALL", "index"}, p.access, "%s: %s", p.table, query)
		rows, err := strconv.ParseFloat(p.rows, 64)
		require.NoError(t, err, query)
		sum += int(rows)
	}
	return sum
}

// plan is how a table is read. Numbers are text: servers differ in their types.
type plan struct{ table, access, rows string }

func plans(t testing.TB, db *sqldb.DB, query string, args []any) []plan {
	t.Helper()
	var version string
	require.NoError(t, db.QueryRow(t.Context(), "SELECT VERSION()").Scan(&version))
	mariaDB := strings.Contains(version, "MariaDB")
	verb, columns, access, counted := "EXPLAIN ", 12, 4, 9 // of MySQL
	switch {
	case mariaDB && strings.HasPrefix(query, "SELECT"):
		verb, columns, access, counted = "ANALYZE ", 13, 3, 9
	case mariaDB:
		columns, access, counted = 10, 3, 8
	}
	rows, err := db.Query(t.Context(), verb+query, args...)
	require.NoError(t, err, query)
	all, err := sqldb.Collect(rows, func(r sqldb.Scanner) (p plan, err error) {
		values, into := make([]*string, columns), make([]any, columns)
		for i := range into {
			into[i] = &values[i]
		}
		if err := r.Scan(into...); err != nil {
			return p, err
		}
		const table = 2
		for i, to := range map[int]*string{table: &p.table, access: &p.access, counted: &p.rows} {
			if values[i] != nil {
				*to = *values[i]
			}
		}
		if p.rows == "" { // planned and not needed
			p.rows = "0"
		}
		return p, nil
	})
	require.NoError(t, err, query)
	return all
}

// Searches returns how SQLite looks for the rows of a statement.
func Searches(t testing.TB, db *sqldb.DB, query string, args ...any) []string {
	t.Helper()
	rows, err := db.Query(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	require.NoError(t, err, query)
	details, err := sqldb.Collect(rows, func(r sqldb.Scanner) (detail string, err error) {
		var id, parent, unused int
		err = r.Scan(&id, &parent, &unused, &detail)
		return detail, err
	})
	require.NoError(t, err, query)
	require.NotEmpty(t, details, query)
	return details
}
