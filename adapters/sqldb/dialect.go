package sqldb

import (
	"strconv"
	"strings"
	"time"
)

// Dialect is what differs between the two databases in statements that are otherwise the same.
type Dialect int

// The dialects. MySQL stands for MySQL 8 and for MariaDB from 10.6.
const (
	SQLite Dialect = iota
	MySQL
)

// String gives the name of the dialect's folder of migrations.
func (d Dialect) String() string {
	if d == MySQL {
		return "mysql"
	}
	return "sqlite"
}

// ForUpdate is the ending of a SELECT that locks its rows. SQLite has one writer and needs none.
func (d Dialect) ForUpdate() string {
	if d == MySQL {
		return " FOR UPDATE"
	}
	return ""
}

// ForShare is the ending of a SELECT whose rows nobody may change until the commit, though others may read them so too.
func (d Dialect) ForShare() string {
	if d == MySQL {
		return " LOCK IN SHARE MODE"
	}
	return ""
}

// InsertIgnore begins an INSERT that passes over rows which are already there. On MySQL it also turns values out of range
// into warnings: use it only for values that fit.
func (d Dialect) InsertIgnore() string {
	if d == MySQL {
		return "INSERT IGNORE INTO"
	}
	return "INSERT OR IGNORE INTO"
}

// Upsert is the ending of an INSERT that sets columns to the new values where a row with these keys stands. Never branch on its
// count of affected rows: the databases count differently.
func (d Dialect) Upsert(keys string, sets ...string) string {
	begin, value := "ON CONFLICT("+keys+") DO UPDATE SET ", func(c string) string { return c + "=excluded." + c }
	if d == MySQL {
		begin, value = "ON DUPLICATE KEY UPDATE ", func(c string) string { return c + "=VALUES(" + c + ")" }
	}
	parts := make([]string, len(sets))
	for i, c := range sets {
		parts[i] = value(c)
	}
	return begin + strings.Join(parts, ", ")
}

// Limit is the ending of an UPDATE or DELETE … WHERE id IN (…). Without it MySQL plans a nearly empty table as a full scan, which
// waits for every open transaction; SQLite does not know it.
func (d Dialect) Limit(n int) string {
	if d == MySQL {
		return " LIMIT " + strconv.Itoa(n)
	}
	return ""
}

// UseIndex follows the name of a table in a SELECT that must be planned with one index, whatever the statistics say of the table: they are
// out of date after every bulk change.
func (d Dialect) UseIndex(name string) string {
	if d == MySQL {
		return " FORCE INDEX (" + name + ")"
	}
	return " INDEXED BY " + name
}

// OrderedJoin is the part of a SELECT that reads, for each row of found (a list in order, of columns that an index has), the row of table
// with the key found_key, in that order. MySQL sorts the found rows again, which are small; SQLite, which would sort the whole rows, reads
// them in the order of the outer loop.
func (d Dialect) OrderedJoin(found, table, key, order string) string {
	if d == MySQL {
		return "(" + found + ") AS found STRAIGHT_JOIN " + table + " ON " + key + " = found_key ORDER BY " + order
	}
	return "(" + found + ") AS found CROSS JOIN " + table + " ON " + key + " = found_key"
}

// now is the database's clock, in microseconds.
func (d Dialect) now() string {
	if d == MySQL {
		return "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
	}
	return "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
}

// Micros is how a time is stored: microseconds since 1970, UTC.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// FromMicros reads a stored time.
func FromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }
