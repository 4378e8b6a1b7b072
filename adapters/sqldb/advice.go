package sqldb

import (
	"errors"
	"slices"
	"syscall"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"
)

// Numbers of errors that somebody has to do something about.
var (
	mysqlRefused = []uint16{1045, 1698, 1251}
	mysqlDenied  = []uint16{1044, 1142, 1049}
	mysqlLocked  = []uint16{1820, 1862, 3118, 4151}
	mysqlFull    = []uint16{1021, tableFull}
)

// statementLog is the number with which MySQL refuses a change that it could not replicate.
const statementLog = 1665

// tableFull is the number with which MySQL refuses a row that finds no room; a COMMIT is never refused so.
const tableFull = 1114

// Advice says in a line what an error of the database means and what to do about it. It is empty where there is nothing to do but wait. It
// repeats no part of the URL.
func Advice(err error) string {
	if errors.Is(err, errStatementLog) || numberOf(err) == statementLog {
		return "set binlog_format=ROW (or MIXED) on the server, with SET GLOBAL and in its configuration"
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		switch {
		case refusesWrites(e.Number):
			return "the server is read-only: point the database URL to the primary, or take read_only back"
		case slices.Contains(mysqlLocked, e.Number):
			return "the server refuses the account of the database URL: unlock it, or renew its password"
		case e.Number == 1226:
			return "the account of the database URL has used up a limit of its own (as max_user_connections): raise it, or run fewer replicas"
		case slices.Contains(mysqlRefused, e.Number):
			return "the server refuses the user or the password of the database URL: correct them, or create the user"
		case slices.Contains(mysqlDenied, e.Number):
			return "the user of the database URL may not make or use the database: create it, or grant the user its rights"
		case slices.Contains(mysqlFull, e.Number):
			return "the server's disk is full: free space there"
		case e.Number == 1040 || e.Number == 1203:
			return "the server takes no more connections: raise its limit, or run fewer replicas"
		}
		return ""
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqliteFull:
			return "the disk of the data folder is full: free space there"
		case sqliteCantOpen, sqliteReadOnly, sqlitePerm:
			return "the files in the data folder cannot be opened or written: look at their owner and rights, and at the disk's free space"
		}
		return ""
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "the disk is full: free space there"
	case lost(err):
		return "no server answers where the database URL points to: start it, or correct the address"
	}
	return ""
}
