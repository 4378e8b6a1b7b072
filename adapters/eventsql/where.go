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
func (w *where) between(column string, after, before time.Time) {
	if !after.IsZero() {
		w.add(column+" >= ?", sqldb.Micros(after))
	}
	if !before.IsZero() {
		w.add(column+" < ?", sqldb.Micros(before))
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

// room decides where a page ends.
type room struct {
	rows  int
	bytes int
}

// take reports whether a further row of that weight has room. The first always has.
func (r *room) take(bytes, limit int) bool {
	if r.rows == limit || (r.rows > 0 && r.bytes+bytes > pageBytes) {
		return false
	}
	r.rows++
	r.bytes += bytes
	return true
}
