package eventsql

import (
	"strings"
	"time"

	"github.com/millrace/millrace/adapters/sqldb"
)

// where gathers the conditions of a list.
type where struct {
	conditions []string
	args       []any
}

func (w *where) add(condition string, args ...any) {
	w.conditions = append(w.conditions, condition)
	w.args = append(w.args, args...)
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

// clause returns the conditions as the end of a statement's FROM.
func (w *where) clause() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}
