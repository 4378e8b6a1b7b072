package sqldb

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"

	"github.com/millrace/millrace/app/fault"
)

// ErrFull says that a write found no room.
var ErrFull = fault.New(fault.Unavailable, "database_full",
	"The database has no room: its disk is full. Nothing was changed; try again once there is space.")

// fullFor is how long a write that found no room is remembered: a small one may still find some in between.
const fullFor = 15 * time.Second

// Writable reports whether writes found room lately; the error is ErrFull.
func (db *DB) Writable(context.Context) error {
	if last := db.full.Load(); last != 0 && time.Since(time.Unix(0, last)) < fullFor {
		return ErrFull
	}
	return nil
}

// remember keeps when err said that there is no room.
func (db *DB) remember(err error) {
	if full(err) {
		db.full.Store(time.Now().UnixNano())
	}
}

// full reports whether err says that there is no room.
func full(err error) bool {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return slices.Contains(mysqlFull, e.Number)
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqliteFull
}
