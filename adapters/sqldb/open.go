// Package sqldb is the one door to a database: transactions, the outbox, the inbox and the counts of failures, with one set
// of statements on MySQL (or MariaDB) and on SQLite.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"

	"github.com/millrace/millrace/app/fault"
)

// ErrClosed is what a database answers after Close.
var ErrClosed = fault.New(fault.Unavailable, "closing", "The service is shutting down.")

// ErrAway says that the database cannot be reached, or has not been migrated yet.
var ErrAway = fault.New(fault.Unavailable, "database_away", "The database cannot be reached. Nothing was changed; try again.")

// ErrReadOnly says that the database takes no writes: it is an old primary, or was made read-only.
var ErrReadOnly = fault.New(fault.Unavailable, "database_read_only",
	"The database is read-only at present. Nothing was changed; try again.")

// ErrDisk says that the disk under the database reports errors.
var ErrDisk = fault.New(fault.Unavailable, "database_disk",
	"The disk of the database reports errors, or its file is damaged. Nothing was changed.")

// ErrTooSlow says that a statement ran into its time limit. The same one would most likely do so again.
var ErrTooSlow = fault.New(fault.TooSlow, "query_too_slow",
	"The query takes too long and was ended. Nothing was changed; ask for less, or try again later.").After(time.Minute)

// ErrOutcomeUnknown is what a caller gets when the connection broke while COMMIT was on its way.
var ErrOutcomeUnknown = fault.New(fault.Unknown, "outcome_unknown",
	"The connection to the database broke during the commit: the change may be stored or not. Look before trying again.")

// DB is one service's database. It is safe for concurrent use.
type DB struct {
	cfg        Config
	dialect    Dialect
	log        *slog.Logger
	sessions   *sessions // MySQL's
	writers    *sql.DB   // SQLite: one connection. MySQL: autocommit is off, each transaction begins with its first statement
	readers    *sql.DB
	control    *sql.DB // for what must not wait for readers or writers: changes of access, and the health of the database
	ready      atomic.Bool
	trouble    trouble
	hung       atomic.Bool // the server does not answer
	probe      probe
	wake       chan struct{}
	erased     chan struct{} // wakes the truncation of the write-ahead log
	truncating sync.Mutex    // held while the write-ahead log is truncated

	front, side *door
	closing     chan struct{}
	once        sync.Once
	writing     sync.WaitGroup
	watching    sync.Once
	told        sync.Once // of the server's settings
}

// controls is how many connections the control pool has: the watch, the changes of access, and a probe.
const controls = 3

// How long connections live. After a failover that nobody noticed they go on for no longer; idle ones are given back to servers that count
// them.
const (
	connectionLife = 5 * time.Minute
	connectionIdle = 30 * time.Second
)

// Open prepares the connections. It does not reach for a server, so it fails only for a wrong configuration; until Migrate has
// succeeded every call answers ErrAway.
func Open(cfg Config) (*DB, error) {
	dialect, err := ParseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults(dialect)
	db := &DB{
		cfg: cfg, dialect: dialect, log: cfg.Logger, sessions: newSessions(),
		wake: make(chan struct{}, 1), erased: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	writers := cfg.Writers
	if dialect == MySQL {
		writers++ // the side door's
		err = db.openMySQL()
	} else {
		err = db.openSQLite()
	}
	if err != nil {
		return nil, err
	}
	bound(db.writers, writers)
	bound(db.readers, cfg.Readers)
	bound(db.control, controls)
	db.front = db.open(cfg.Writers)
	db.side = db.front
	if dialect == MySQL {
		db.side = db.open(1)
	} else {
		db.writing.Go(db.truncateLog)
	}
	return db, nil
}

func bound(pool *sql.DB, connections int) {
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	pool.SetConnMaxLifetime(connectionLife)
	pool.SetConnMaxIdleTime(connectionIdle)
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
	write, err := sqlite.NewConnector(dsn)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	read, err := sqlite.NewConnector(dsn + "&_pragma=query_only(1)&_pragma=cache_size(-" + readerCache + ")")
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	limited := interruptible{read, db.cfg.QueryFor}
	db.writers = sql.OpenDB(connector{write})
	db.readers, db.control = sql.OpenDB(connector{limited}), sql.OpenDB(connector{limited})
	return nil
}

func (db *DB) openMySQL() error {
	cfg, err := mysqlConfig(db.cfg.URL, db.cfg.Name)
	if err != nil {
		return err
	}
	if cfg.DialFunc == nil {
		cfg.DialFunc = db.sessions.dial
	}
	reading := cfg.Clone()
	cfg.Params["autocommit"] = "0"
	cfg.MultiStatements = true // a savepoint travels with the change that it guards
	if db.writers, err = db.pool(cfg); err != nil {
		return err
	}
	if db.readers, err = db.pool(reading); err != nil {
		return err
	}
	db.control, err = db.pool(reading)
	return err
}

// pool prepares connections of one kind to MySQL.
func (db *DB) pool(cfg *mysql.Config) (*sql.DB, error) {
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("the database URL: %w", err)
	}
	return sql.OpenDB(connector{sessionConnector{c, db.sessions, append([]string{isolation}, statementLimits...)}}), nil
}

// Dialect says how statements must be written.
func (db *DB) Dialect() Dialect { return db.dialect }

// Ping reports whether the database answers, has been migrated and has its files; the error is ErrAway or that of Config.Intact.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.usable(); err != nil {
		return err
	}
	if err := db.cfg.Intact(); err != nil {
		return err
	}
	if err := db.readers.PingContext(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return ErrAway.Because(err)
		}
		return classify(err)
	}
	return nil
}

// usable is the error of a database that was not migrated yet, or does not answer: nobody has to wait for it.
func (db *DB) usable() error {
	if !db.ready.Load() {
		return ErrAway
	}
	if db.hung.Load() {
		return ErrAway.Because(errHung)
	}
	return nil
}

// Close waits for the transactions that run, refuses the others with ErrClosed and closes the connections.
func (db *DB) Close() error {
	db.once.Do(func() { close(db.closing) })
	db.writing.Wait()
	return errors.Join(db.writers.Close(), db.readers.Close(), db.control.Close())
}

// Query reads outside of a transaction, within the time limit of a query. The caller closes the rows.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	return db.query(ctx, db.readers, query, args...)
}

func (db *DB) query(ctx context.Context, pool *sql.DB, query string, args ...any) (*Rows, error) {
	if err := db.usable(); err != nil {
		return nil, err
	}
	rows, err := pool.QueryContext(ctx, query, args...) //nolint:sqlclosecheck,rowserrcheck // the caller does, through Rows
	if err != nil {
		return nil, classify(err)
	}
	return &Rows{rows: rows, note: classify}, nil
}

// QueryRow reads one row outside of a transaction, within the time limit of a query.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) *Row {
	if err := db.usable(); err != nil {
		return &Row{err: err}
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
