// Package sqldb is the one door to a database: transactions, the outbox, the inbox and the counts of failures, with one set
// of statements on MySQL (or MariaDB) and on SQLite.
package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"

	"github.com/millrace/millrace/app/fault"
)

// ErrClosed is what a database answers after Close.
var ErrClosed = fault.New(fault.Unavailable, "closing", "The service is shutting down.")

// ErrAway says that the database cannot be reached, or has not been migrated yet.
var ErrAway = fault.New(fault.Unavailable, "database_away", "The database cannot be reached. Nothing was changed; try again.")

// ErrOutcomeUnknown is what a caller gets when the connection broke while COMMIT was on its way.
var ErrOutcomeUnknown = fault.New(fault.Unknown, "outcome_unknown",
	"The connection to the database broke during the commit: the change may be stored or not. Look before trying again.")

// DB is one service's database. It is safe for concurrent use.
type DB struct {
	cfg     Config
	dialect Dialect
	log     *slog.Logger
	writers *sql.DB // SQLite: one connection. MySQL: autocommit is off, each transaction begins with its first statement
	readers *sql.DB
	ready   atomic.Bool
	full    atomic.Int64 // when a write last found no room, in nanoseconds; 0: never
	wake    chan struct{}
	erased  chan struct{} // wakes the truncation of the write-ahead log

	front, side *door
	closing     chan struct{}
	once        sync.Once
	writing     sync.WaitGroup
}

// Open prepares the connections. It does not reach for a server, so it fails only for a wrong configuration; until Migrate has
// succeeded every call answers ErrAway.
func Open(cfg Config) (*DB, error) {
	dialect, err := ParseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults(dialect)
	db := &DB{
		cfg: cfg, dialect: dialect, log: cfg.Logger,
		wake: make(chan struct{}, 1), erased: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	if dialect == MySQL {
		err = db.openMySQL()
	} else {
		err = db.openSQLite()
	}
	if err != nil {
		return nil, err
	}
	writers := cfg.Writers
	if dialect == MySQL {
		writers++ // the side door's
	}
	db.writers.SetMaxOpenConns(writers)
	db.writers.SetMaxIdleConns(writers)
	db.readers.SetMaxOpenConns(cfg.Readers)
	db.readers.SetMaxIdleConns(cfg.Readers)
	db.front = db.open(cfg.Writers)
	db.side = db.front
	if dialect == MySQL {
		db.side = db.open(1)
	} else {
		db.writing.Go(db.truncateLog)
	}
	return db, nil
}

// readerCache is the page cache of each reading connection, in KiB. It is small because a process with three services has many of them,
// and none gives its cache back; what is not in it comes from the system's cache.
const readerCache = "4000"

func (db *DB) openSQLite() error {
	path, err := sqlitePath(db.cfg)
	if err != nil {
		return err
	}
	pragmas := []string{
		"_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=busy_timeout(10000)", "_pragma=foreign_keys(1)",
		"_pragma=cache_size(-16000)", "_pragma=journal_size_limit(67108864)", secureDelete,
	}
	dsn := "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) + "?" + strings.Join(pragmas, "&")
	if db.writers, err = sql.Open("sqlite", dsn); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	if db.readers, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)&_pragma=cache_size(-"+readerCache+")"); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	return nil
}

func (db *DB) openMySQL() error {
	cfg, err := mysqlConfig(db.cfg.URL, db.cfg.Name)
	if err != nil {
		return err
	}
	reading := cfg.Clone()
	cfg.Params["autocommit"] = "0"
	cfg.MultiStatements = true // a savepoint travels with the change that it guards
	write, err := mysql.NewConnector(cfg)
	if err != nil {
		return fmt.Errorf("the database URL: %w", err)
	}
	read, err := mysql.NewConnector(reading)
	if err != nil {
		return fmt.Errorf("the database URL: %w", err)
	}
	db.writers, db.readers = sql.OpenDB(readCommitted{write}), sql.OpenDB(readCommitted{read})
	return nil
}

// readCommitted sets each new connection's isolation (the variable has two names among the servers, the statement has one) and
// the server's limit for a statement, below the client's.
type readCommitted struct{ driver.Connector }

// Connect implements driver.Connector.
func (c readCommitted) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	execer, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(errors.New("the driver cannot execute statements"), conn.Close())
	}
	if _, err := execer.ExecContext(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	for _, limit := range []string{"max_statement_time = 8", "max_execution_time = 8000"} { // MariaDB's, MySQL's
		_, err := execer.ExecContext(ctx, "SET SESSION "+limit, nil)
		if e, ok := errors.AsType[*mysql.MySQLError](err); err != nil && (!ok || e.Number != unknownVariable) {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

const unknownVariable = 1193

// Dialect says how statements must be written.
func (db *DB) Dialect() Dialect { return db.dialect }

// Ping reports whether the database answers, has been migrated and has its files; the error is ErrAway or that of Config.Intact.
func (db *DB) Ping(ctx context.Context) error {
	if !db.ready.Load() {
		return ErrAway
	}
	if err := db.cfg.Intact(); err != nil {
		return err
	}
	return classify(db.readers.PingContext(ctx))
}

// Close waits for the transactions that run, refuses the others with ErrClosed and closes the connections.
func (db *DB) Close() error {
	db.once.Do(func() { close(db.closing) })
	db.writing.Wait()
	return errors.Join(db.writers.Close(), db.readers.Close())
}

// Query reads outside of a transaction. The caller closes the rows.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	if !db.ready.Load() {
		return nil, ErrAway
	}
	rows, err := db.readers.QueryContext(ctx, query, args...) //nolint:sqlclosecheck,rowserrcheck // the caller does, through Rows
	if err != nil {
		return nil, classify(err)
	}
	return &Rows{rows: rows, note: classify}, nil
}

// QueryRow reads one row outside of a transaction.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) *Row {
	if !db.ready.Load() {
		return &Row{err: ErrAway}
	}
	return &Row{row: db.readers.QueryRowContext(ctx, query, args...), note: classify}
}

// IsDuplicate reports whether err is the violation of a unique key.
func IsDuplicate(err error) bool {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return e.Number == 1062
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code() == 2067 || e.Code() == 1555)
}
