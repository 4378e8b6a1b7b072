package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/go-sql-driver/mysql"
)

// errConnect says that there was no connection to begin a transaction on.
var errConnect = errors.New("connect")

// outcome is what a COMMIT did.
type outcome int

const (
	committed outcome = iota
	undone            // surely nothing is stored
	unknown           // the answer was lost
)

// transaction is one transaction on a connection that it owns until it ends.
type transaction struct {
	db *DB
	tx *Tx
}

// begin takes a connection and begins, for closures that share the transaction or for one alone. On MySQL the writers' autocommit is off
// and the first statement begins: a round trip less.
func (db *DB) begin(shared bool) (*transaction, error) {
	if err := db.usable(); err != nil {
		return nil, fmt.Errorf("%w: %w", errConnect, err)
	}
	conn, err := db.writers.Conn(context.Background())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errConnect, err)
	}
	t := &transaction{db: db, tx: &Tx{db: db, dialect: db.dialect, conn: conn, defers: shared && db.dialect == MySQL}}
	if db.dialect == SQLite {
		if _, err := t.tx.exec("BEGIN IMMEDIATE"); err != nil {
			t.rollback()
			return nil, fmt.Errorf("begin: %w", err)
		}
	}
	return t, nil
}

// call runs the closure of j and gives its error. What a closure that failed wanted published, or deferred, is forgotten.
func (t *transaction) call(j *job, g guard) error {
	t.tx.guard = g
	wanted := len(t.tx.outbox)
	t.tx.deferred.own = len(t.tx.deferred.rows)
	j.turn <- t.tx
	err := <-j.ran
	t.tx.letGo()
	if err != nil {
		t.tx.outbox = t.tx.outbox[:wanted]
		t.tx.deferred.rows = t.tx.deferred.rows[:t.tx.deferred.own]
	}
	return err
}

// callGuarded runs the closure of j so that its failure undoes nothing of the others.
func (t *transaction) callGuarded(j *job) error {
	err := t.call(j, armed)
	if t.tx.ended != nil || t.tx.guard != set {
		return err
	}
	t.tx.guard = unguarded
	if err != nil {
		if _, undo := t.tx.exec("ROLLBACK TO SAVEPOINT " + t.tx.savepoint()); undo != nil {
			t.end(undo)
			return err
		}
	}
	if t.tx.dialect == SQLite { // MySQL drops them all with the COMMIT
		if _, release := t.tx.exec("RELEASE SAVEPOINT " + t.tx.savepoint()); release != nil {
			t.end(release)
		}
	}
	return err
}

// end holds the transaction for ended: a savepoint that cannot be set or undone leaves nothing to trust.
func (t *transaction) end(err error) {
	if t.tx.ended == nil {
		t.tx.ended = err
	}
}

func (t *transaction) commit() (outcome, error) {
	_, err := t.tx.conn.ExecContext(context.Background(), "COMMIT")
	return t.ending(err)
}

// finish stores what was left to the door and commits; on MySQL all of it travels in one packet, where it fits.
func (t *transaction) finish() (outcome, error) {
	t.tx.guard = unguarded
	last, err := t.tx.checked(t.tx.deferred.taken())
	left := t.tx.outbox
	switch {
	case err != nil:
	case t.tx.dialect == MySQL && len(left) == 0:
		return t.ending(t.tx.send(last.then("COMMIT")))
	case t.tx.dialect == MySQL && batch(left) == len(left):
		return t.ending(t.tx.store(left, last, "; COMMIT"))
	default:
		if err = t.tx.send(last); err == nil {
			err = t.storeOutbox(left)
		}
	}
	if err != nil {
		t.end(err)
		t.rollback()
		return undone, err
	}
	return t.commit()
}

// ending closes the transaction behind the answer to its COMMIT.
func (t *transaction) ending(err error) (outcome, error) {
	if err == nil {
		t.close(nil)
		return committed, nil
	}
	t.end(err)
	t.rollback()
	return outcomeOf(err), fmt.Errorf("commit: %w", err)
}

// outcomeOf reads the error of a COMMIT, or of outbox rows with a COMMIT behind them. A server that answers with an error has not
// committed, unless it was interrupted in the middle of it or says that it lost the connection; the driver's ErrBadConn means that nothing
// of the statement was sent. SQLite has not committed either, unless it could not sync what it wrote.
func outcomeOf(err error) outcome {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		refused := refusesWrites(e.Number) || e.Number == netPacketTooLarge || e.Number == tableFull
		if !refused && (isAway(e) || slices.Contains(mysqlInterrupted, e.Number)) {
			return unknown
		}
		return undone
	}
	if code := sqliteCode(err); code != 0 {
		if code == sqliteFsync || code == sqliteDirFsync || code&0xff == sqliteCorrupt || code&0xff == sqliteInterrupt {
			return unknown
		}
		return undone
	}
	_, tooLarge := errors.AsType[*tooLargeError](err)
	if tooLarge || errors.Is(err, errPacketFull) || errors.Is(err, driver.ErrBadConn) {
		return undone
	}
	return unknown
}

// rollback ends the transaction and gives the connection back, or throws it away where it cannot be trusted any more.
func (t *transaction) rollback() {
	_, err := t.tx.conn.ExecContext(context.Background(), "ROLLBACK")
	if judge(t.tx.ended) == away {
		err = errors.Join(err, t.tx.ended) // also where the server would take a ROLLBACK, the connection is of no use
	}
	if t.tx.ended != nil && t.tx.dialect == SQLite {
		err = nil // SQLite may have rolled back by itself; the connection is sound either way
		if sqliteCode(t.tx.ended)&0xff == sqliteReadOnly {
			err = t.tx.ended // one that was opened while the files could not be written stays read-only
		}
	}
	t.close(err)
}

func (t *transaction) close(broken error) {
	if broken != nil {
		_ = t.tx.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	if err := t.tx.conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) && !errors.Is(err, driver.ErrBadConn) {
		t.db.log.Warn("closing a database connection failed", "error", err)
	}
}
