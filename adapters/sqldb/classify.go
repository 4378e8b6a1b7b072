package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"

	"github.com/millrace/millrace/app/fault"
)

// Numbers of MySQL and MariaDB that end a transaction, or might, and are worth running it again: deadlock, lock wait timeout (which
// undoes everything where innodb_rollback_on_timeout is on), a row that changed since it was read, a statement that was
// killed or ran into the server's time limit, a full table of locks.
var mysqlAgain = []uint16{1213, 1205, 1020, 1317, 1969, 3024, 1206, 1614}

// Numbers of a statement that ran into the server's time limit: MariaDB's and MySQL's.
var mysqlTooSlow = []uint16{1969, 3024}

// Numbers of a COMMIT that may have been cut off: an error during it, and statements that were killed or took too long.
var mysqlInterrupted = []uint16{1180, 1181, 1105, 1317, 1969, 3024}

// Numbers that say the server is going away, is full (of data or connections), takes nothing from this account, or ended this connection.
var mysqlAway = []uint16{
	1021, 1040, 1044, 1045, 1047, 1049, 1053, 1077, 1078, 1079, 1114, 1129, 1142, 1152, 1158, 1159, 1160, 1161, 1203, 1226, 1820, 1862, 1927,
	3032, 3118, 3169, 4031, 4151,
}

// Numbers of a server that refuses a write because it is read-only, as the old primary is after a failover: by an option, by the session's
// setting, a table, InnoDB, or its mode; and of one that could not replicate the write (binlog_format=STATEMENT). The statement was not
// executed, and a COMMIT that is refused so was rolled back.
var mysqlReadOnly = []uint16{1290, 1792, 1036, 1874, 1836, 1665}

// Primary result codes of SQLite, and the extended ones of a sync that failed.
const (
	sqliteError      = 1
	sqlitePerm       = 3
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteReadOnly   = 8
	sqliteInterrupt  = 9
	sqliteIOErr      = 10
	sqliteCorrupt    = 11
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteTooBig     = 18
	sqliteConstraint = 19
	sqliteMismatch   = 20
	sqliteRange      = 25
	sqliteFsync      = 10 | 4<<8
	sqliteDirFsync   = 10 | 5<<8
)

// verdict is what an error of the driver means for the transaction that it came from.
type verdict int

const (
	fine      verdict = iota // the statement failed, the transaction stands
	again                    // the transaction ended, and may run again
	away                     // the connection ended or is of no use, and the transaction with it
	destroyed                // the transaction ended, and there is no use in running it again
)

// judge reads what a driver's error did to its transaction. What it does not know has ended it: that costs a repetition,
// the opposite mistake a phantom.
func judge(err error) verdict {
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return fine
	}
	if _, ok := errors.AsType[*connectError](err); ok {
		return away
	}
	if errors.Is(err, errPacketFull) {
		return again
	}
	if _, ok := errors.AsType[*tooLargeError](err); ok {
		return fine
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		switch {
		case slices.Contains(mysqlAgain, e.Number):
			return again
		case isAway(e), refusesWrites(e.Number), e.Number == netPacketTooLarge: // behind the last, the server hangs up
			return away
		}
		return fine
	}
	if code := sqliteCode(err); code != 0 {
		switch code & 0xff {
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

// numberOf is the number of MySQL's error, 0 where err is none.
func numberOf(err error) uint16 {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return e.Number
	}
	return 0
}

// sqliteCode is the extended code of SQLite's error, 0 where err is none.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

// refusesWrites reports whether the number is that of a server that takes no writes.
func refusesWrites(number uint16) bool { return slices.Contains(mysqlReadOnly, number) }

// isAway reports whether e says that the server, or the connection to it, is of no use now. Beside the known numbers these are the class of
// connection errors of SQL's standard, and the numbers that only clients and proxies use: a proxy answers a statement with them where it
// has lost the server behind it.
func isAway(e *mysql.MySQLError) bool {
	const (
		firstOfClients, lastOfClients = 2000, 2999
		firstOfProxies                = 9000
	)
	return slices.Contains(mysqlAway, e.Number) || e.Number >= firstOfClients && e.Number <= lastOfClients || e.Number >= firstOfProxies ||
		strings.HasPrefix(string(e.SQLState[:]), "08") && e.Number != netPacketTooLarge
}

// lost reports whether err comes from a broken connection.
func lost(err error) bool {
	for _, broken := range []error{
		driver.ErrBadConn, mysql.ErrInvalidConn, mysql.ErrMalformPkt, mysql.ErrPktSync, mysql.ErrPktSyncMul, mysql.ErrBusyBuffer, sql.ErrConnDone,
		io.EOF, io.ErrUnexpectedEOF, io.ErrShortWrite, net.ErrClosed,
	} {
		if errors.Is(err, broken) {
			return true
		}
	}
	_, ok := errors.AsType[net.Error](err)
	return ok && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// classify returns err with the fault kind that the rest of Millrace acts upon, where it says something about the database. Other errors
// stay as they are.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if e := condition(err); e != nil {
		return e.Because(err)
	}
	return err
}

// condition is the fault that a driver's error stands for, nil where it is none of the database's own.
func condition(err error) *fault.Error {
	if err == nil {
		return nil
	}
	if _, connecting := errors.AsType[*connectError](err); connecting && sqliteCode(err) == 0 {
		return ErrAway
	}
	switch number, code := numberOf(err), sqliteCode(err)&0xff; {
	case full(err):
		return ErrFull
	case number == netPacketTooLarge, code == sqliteTooBig:
		return ErrTooLarge
	case refusesWrites(number), code == sqliteReadOnly, code == sqlitePerm:
		return ErrReadOnly
	case slices.Contains(mysqlTooSlow, number):
		return ErrTooSlow
	case code == sqliteIOErr, code == sqliteCorrupt:
		return ErrDisk
	case code == sqliteCantOpen:
		return ErrAway
	}
	if v := judge(err); v == away || v == again {
		return ErrAway
	}
	return nil
}
