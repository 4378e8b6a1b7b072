package eventsql

import (
	"math"
	"strings"
	"time"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/event/query"
)

// pageBytes is the weight at which a page of a list ends before it is full: 200 events may be of half a megabyte each.
const pageBytes = 8 << 20

// where gathers the conditions of a list.
type where struct {
	conditions []string
	args       []any
}

func (w *where) add(condition string, arg any) {
	w.conditions = append(w.conditions, condition)
	w.args = append(w.args, arg)
}

// equal asks for a value, unless it is empty.
func (w *where) equal(column, value string) {
	if value != "" {
		w.add(column+" = ?", text(value))
	}
}

// between asks for times from after on and before before, where they are set.
func (w *where) between(column string, after, before *time.Time) {
	if after != nil {
		w.add(column+" >= ?", sqldb.Micros(*after))
	}
	if before != nil {
		w.add(column+" < ?", sqldb.Micros(*before))
	}
}

// page ends the statement: what lies behind the page before, in order, and one row more than asked for.
func (w *where) page(column string, p query.Page) (ending string, args []any) {
	order := " ASC"
	if p.Ascending {
		w.add(column+" > ?", p.Behind)
	} else {
		order = " DESC"
		behind := p.Behind
		if behind == 0 {
			behind = math.MaxInt64
		}
		w.add(column+" < ?", behind)
	}
	return " WHERE " + strings.Join(w.conditions, " AND ") + " ORDER BY " + column + order + " LIMIT ?", append(w.args, p.Limit+1)
}

// readPage reads up to limit rows with scan, which also says what each weighs, and closes them. more says that the page ended before
// the rows did: it was full, or too heavy. One row always has room.
func readPage[T any](
	rows *sqldb.Rows, limit int, scan func(sqldb.Scanner) (one T, size int, err error),
) (page []T, more bool, err error) {
	defer func() { _ = rows.Close() }()
	weight := 0
	for rows.Next() {
		one, size, err := scan(rows)
		if err != nil {
			return nil, false, err
		}
		if len(page) == limit || len(page) > 0 && weight+size > pageBytes {
			return page, true, nil
		}
		page, weight = append(page, one), weight+size
	}
	return page, false, rows.Err()
}
