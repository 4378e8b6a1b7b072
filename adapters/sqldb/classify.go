package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"

	"github.com/millrace/millrace/app/fault"
)

// Numbers of MySQL and MariaDB that end a transaction, or might, and are worth running it again: deadlock, lock wait timeout (which
// undoes everything where innodb_rollback_on_timeout is on), a row that changed since it was read, a statement that was
// killed or ran into the server's time limit, a full table of locks.
var mysqlAgain = []uint16{1213, 1205, 1020, 1317, 1969, 3024, 1206, 1614}

// Numbers of a COMMIT that may have been cut off: an error during it, and statements that were killed or took too long.
var mysqlInterrupted = []uint16{1180, 1181, 1105, 1317, 1969, 3024}

// Numbers that say the server is going away, is full (of data or connections), or that it ended this connection.
var mysqlAway = []uint16{
	1021, 1040, 1044, 1045, 1047, 1049, 1053, 1077, 1078, 1079, 1114, 1129, 1152, 1158, 1159, 1160, 1161, 1203, 1290, 1836, 1927, 3169, 4031,
}

// Primary result codes of SQLite.
const (
	sqliteError      = 1
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqlitePerm       = 3
	sqliteReadOnly   = 8
	sqliteIOErr      = 10
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteTooBig     = 18
	sqliteConstraint = 19
	sqliteMismatch   = 20
	sqliteRange      = 25
)

// verdict is what an error of the driver means for the transaction that it came from.
type verdict int

const (
	fine      verdict = iota // the statement failed, the transaction stands
	again                    // the transaction ended, and may run again
	away                     // the connection ended, and the transaction with it
	destroyed                // the transaction ended, and there is no use in running it again
)

// judge reads what a driver's error did to its transaction. What it does not know has ended it: that costs a repetition,
// the opposite mistake a phantom.
func judge(err error) verdict {
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return fine
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		switch {
		case slices.Contains(mysqlAgain, e.Number):
			return again
		case slices.Contains(mysqlAway, e.Number):
			return away
		}
		return fine
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqliteError, sqliteConstraint, sqliteMismatch, sqliteRange, sqliteTooBig:
			return fine
		case sqliteBusy, sqliteLocked:
			return again
		}
		return destroyed
	}
	if lost(err) {
		return away
	}
	return destroyed
}

// lost reports whether err comes from a broken connection.
func lost(err error) bool {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// classify gives a driver's error the fault kind that the rest of Millrace acts upon, where it says that the database is away or full.
// Other errors stay as they are.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if full(err) {
		return ErrFull.Because(err)
	}
	switch judge(err) {
	case away, again:
		return ErrAway.Because(err)
	case destroyed:
		if e, ok := errors.AsType[*sqlite.Error](err); ok && slices.Contains([]int{sqliteIOErr, sqliteCantOpen}, e.Code()&0xff) {
			return ErrAway.Because(err)
		}
	case fine:
	}
	return err
}
