package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
)

// errEnded is what a transaction answers after an error that ended it on the server.
var errEnded = errors.New("the transaction has ended")

// Tx is the transaction that a closure of Atomically works in. It belongs to that closure's goroutine.
//
// It remembers an error that ended the transaction on the server: every further statement is refused and nothing is committed,
// even if the closure swallowed the error. Otherwise the next statement would commit by itself.
type Tx struct {
	db      *DB
	dialect Dialect
	conn    *sql.Conn
	ended   error   // the error that ended it
	outbox  []Entry // stored together, right before the commit
	guard   guard
	guards  int // savepoints of this transaction so far
	erases  bool

	defers   bool // other closures may share it, and the server can
	deferred deferral
	read     []*sql.Rows // by the closure whose turn it is
}

// guard is the savepoint of a closure that shares the transaction. It is set with the closure's first change: most that fail have
// changed nothing.
type guard int

const (
	unguarded guard = iota // the closure is the first: what it did is undone by a rollback
	armed                  // the next change sets the savepoint
	set
)

// Exec runs a statement and gives the number of rows that it met, changed or not; never branch on that of an upsert. ctx does not
// reach the statement: cancelling one undoes everybody else's in the same transaction.
func (tx *Tx) Exec(_ context.Context, query string, args ...any) (affected int64, err error) {
	result, err := tx.exec(query, args...)
	if err != nil {
		return 0, err
	}
	if affected, err = result.RowsAffected(); err != nil {
		return 0, fmt.Errorf("count the affected rows: %w", err)
	}
	return affected, nil
}

func (tx *Tx) exec(query string, args ...any) (sql.Result, error) {
	if err := tx.open(); err != nil {
		return nil, err
	}
	if tx.guard == armed {
		tx.guards++
		if tx.dialect == MySQL { // in one packet: a round trip costs as much as the change
			query = "SAVEPOINT " + tx.savepoint() + "; " + query
		} else if _, err := tx.conn.ExecContext(context.Background(), "SAVEPOINT "+tx.savepoint()); err != nil {
			return nil, tx.note(err)
		}
		tx.guard = set
	}
	result, err := tx.conn.ExecContext(context.Background(), query, args...)
	return result, tx.note(err)
}

// savepoint is the name of this closure's. No two are the same: one that was never set, because its packet was not sent, must not be
// taken for the neighbour's.
func (tx *Tx) savepoint() string { return "closure_" + strconv.Itoa(tx.guards) }

// Query reads rows. The caller closes them before the next statement.
func (tx *Tx) Query(_ context.Context, query string, args ...any) (*Rows, error) {
	if err := tx.open(); err != nil {
		return nil, err
	}
	rows, err := tx.conn.QueryContext(context.Background(), query, args...) //nolint:sqlclosecheck,rowserrcheck // through Rows
	if err != nil {
		return nil, tx.note(err)
	}
	tx.read = append(tx.read, rows)
	return &Rows{rows: rows, note: tx.note}, nil
}

// letGo closes what a closure left open: rows that nobody closes keep the connection, and its writer, for ever.
func (tx *Tx) letGo() {
	for _, rows := range tx.read {
		_ = tx.note(rows.Close()) //nolint:sqlclosecheck // this is where they are closed
	}
	tx.read = nil
}

// QueryRow reads one row; Scan gives sql.ErrNoRows where there is none.
func (tx *Tx) QueryRow(_ context.Context, query string, args ...any) *Row {
	if err := tx.open(); err != nil {
		return &Row{err: err}
	}
	return &Row{row: tx.conn.QueryRowContext(context.Background(), query, args...), note: tx.note}
}

// open stores what is deferred, for the statement that follows. The error says that there is no transaction any more.
func (tx *Tx) open() error {
	if tx.ended == nil && tx.catchUp() == nil {
		return nil
	}
	return tx.refusal()
}

// note keeps the first error that ended the transaction.
func (tx *Tx) note(err error) error {
	if tx.ended == nil && judge(err) != fine {
		tx.ended = err
	}
	return err
}

func (tx *Tx) refusal() error { return fmt.Errorf("%w: %w", errEnded, tx.ended) }
