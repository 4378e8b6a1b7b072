package eventsql

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/adapters/sqldb"
)

// fewRows is how many rows of an index are looked at without a second thought.
const fewRows = 200

// equality is a filter by the value of a column, and the index that has the rows of each value in the order of the list.
type equality struct{ column, value, index string }

// given returns the filters that have a value.
func given(filters ...equality) (those []equality) {
	for _, f := range filters {
		if f.value != "" {
			those = append(those, f)
		}
	}
	return those
}

// chooseIndex returns the index by which a table is searched for what several filters leave: one with few rows, if there is one, otherwise
// that of the first filter. Statistics are not asked: they know how many rows a value has on average, and not how many this one has.
func chooseIndex(ctx context.Context, db *sqldb.DB, table string, filters []equality) (index string, err error) {
	switch len(filters) {
	case 0:
		return "", nil
	case 1:
		return filters[0].index, nil
	}
	for _, f := range filters {
		var rows int
		few := "SELECT 1 FROM " + table + db.Dialect().UseIndex(f.index) + " WHERE " + f.column + " = ? LIMIT ?"
		err := db.QueryRow(ctx, "SELECT COUNT(*) FROM ("+few+") AS few", text(f.value), fewRows).Scan(&rows)
		if err != nil {
			return "", fmt.Errorf("count the rows of a filter: %w", err)
		}
		if rows < fewRows {
			return f.index, nil
		}
	}
	return filters[0].index, nil
}
