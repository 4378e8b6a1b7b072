package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"
)

// Attempts at a transaction that the database ended and that may run again, before its caller hears of it, and how long after the first
// one another may begin: each may wait for locks.
const (
	maxAttempts = 10
	attemptsFor = 8 * time.Second
)

// job is one closure on its way through a transaction. It runs on its caller's goroutine, whenever it is given a turn, so that
// a panic surfaces where it belongs; the door alone begins and ends transactions.
type job struct {
	ctx  context.Context
	fn   func(ctx context.Context, tx *Tx) error
	turn chan *Tx   // run fn with this
	ran  chan error // fn's result
	done chan error // the outcome: after this nothing of fn runs again
}

// errConnect says that there was no connection to begin a transaction on.
var errConnect = errors.New("connect")

// errUnwound stands in for the result of a closure that panicked or left its goroutine.
var errUnwound = errors.New("the closure did not return")

// Atomically commits what fn did through tx, or nothing if fn or the commit fails. fn may run again after a deadlock, so it
// must have no effect except through tx, and nothing slow may be in it. Its error comes back as it is; ErrOutcomeUnknown says that the
// commit may have happened, ErrAway that nothing did.
//
// Closures that wait for a connection share one transaction: they run one after the other, each in a savepoint of its own, and
// return together after the one COMMIT. So a closure may see what an earlier one did, and fails with it when the commit fails.
// ctx is looked at before fn runs; it reaches no statement.
func (db *DB) Atomically(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	if !db.ready.Load() {
		return ErrAway
	}
	j := &job{ctx: ctx, fn: fn, turn: make(chan *Tx), ran: make(chan error), done: make(chan error, 1)}
	select {
	case db.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closing:
		return ErrClosed
	}
	for {
		select {
		case tx := <-j.turn:
			j.run(tx)
		case err := <-j.done:
			return err
		}
	}
}

// run gives fn its turn. Where fn panics, its savepoint is undone and the others are committed before the panic goes on.
func (j *job) run(tx *Tx) {
	returned := false
	defer func() {
		if !returned {
			j.ran <- errUnwound
			<-j.done
		}
	}()
	err := j.fn(context.WithoutCancel(j.ctx), tx)
	returned = true
	j.ran <- err
}

// serve is the work of one writer: it takes a waiting closure, and whoever else waits, through a transaction.
func (db *DB) serve() {
	for {
		select {
		case <-db.closing:
			return
		case first := <-db.jobs:
			db.group(first)
		}
	}
}

// member is a job of a group and what its closure answered.
type member struct {
	job *job
	err error
}

// group runs first and, in savepoints behind it, the closures that wait. If something ends the transaction, each of them runs
// again in one of its own.
func (db *DB) group(first *job) {
	if err := first.ctx.Err(); err != nil {
		first.done <- err
		return
	}
	t, err := db.begin()
	if err != nil {
		first.done <- classify(err)
		return
	}
	members := []member{{first, t.call(first, unguarded)}}
	if members[0].err == nil {
		members = db.gather(t, members)
	}
	if t.tx.ended != nil || members[0].err != nil {
		t.rollback()
		if t.tx.ended == nil { // first failed by itself, and nobody else came in
			first.done <- members[0].err
			return
		}
		db.separately(members)
		return
	}
	switch outcome, err := t.finish(); outcome {
	case committed:
		db.wakeRelay(len(t.tx.outbox) > 0)
		for _, m := range members {
			m.job.done <- m.err
		}
	case undone:
		db.separately(members)
	case unknown:
		for _, m := range members {
			m.job.done <- ErrOutcomeUnknown.Because(err)
		}
	}
}

// gather lets the waiting closures into t, up to the group's limits.
func (db *DB) gather(t *transaction, members []member) []member {
	until := time.Now().Add(db.cfg.GroupFor)
	for len(members) < db.cfg.GroupMax && t.tx.ended == nil && time.Now().Before(until) {
		select {
		case j := <-db.jobs:
			if err := j.ctx.Err(); err != nil {
				j.done <- err
				continue
			}
			members = append(members, member{j, t.callGuarded(j)})
		default:
			return members
		}
	}
	return members
}

// separately runs each closure in a transaction of its own. Where the server cannot be reached for one, the others need not wait
// for the same answer.
func (db *DB) separately(members []member) {
	var away error
	for _, m := range members {
		switch {
		case errors.Is(m.err, errUnwound): // it panicked: nothing of it may run again
			m.job.done <- m.err
		case away != nil:
			m.job.done <- away
		default:
			err := db.alone(m.job)
			if errors.Is(err, errConnect) {
				away = err
			}
			m.job.done <- err
		}
	}
}

// alone runs a closure in a transaction of its own, again and again while the database ends it for reasons that pass.
func (db *DB) alone(j *job) (err error) {
	began := time.Now()
	for attempt := range maxAttempts {
		if attempt > 0 && (time.Since(began) > attemptsFor || !db.pause(j.ctx, attempt)) {
			break
		}
		if ctxErr := j.ctx.Err(); ctxErr != nil {
			return ctxErr
		}
		var final bool
		if final, err = db.attempt(j); final {
			return err
		}
	}
	return classify(err)
}

// attempt runs j once. final is false where another attempt makes sense.
func (db *DB) attempt(j *job) (final bool, err error) {
	t, err := db.begin()
	if err != nil {
		return errors.Is(err, errConnect), classify(err)
	}
	if err = t.call(j, unguarded); err == nil {
		err = t.storeOutbox(t.tx.outbox)
	}
	if err != nil || t.tx.ended != nil {
		t.rollback()
		switch judge(t.tx.ended) {
		case again, away:
			return errors.Is(err, errUnwound), t.tx.ended
		case destroyed:
			return true, classify(t.tx.ended)
		case fine:
		}
		return true, err
	}
	outcome, err := t.commit()
	switch outcome {
	case committed:
		db.wakeRelay(len(t.tx.outbox) > 0)
		return true, nil
	case unknown:
		return true, ErrOutcomeUnknown.Because(err)
	case undone:
	}
	return judge(err) == destroyed, classify(err) // a full disk is no reason to try again
}

// pause waits a moment, longer with each attempt and never the same, and reports whether to go on.
func (db *DB) pause(ctx context.Context, attempt int) bool {
	most := min(5*time.Millisecond<<attempt, 400*time.Millisecond)
	select {
	case <-time.After(most/2 + rand.N(most/2)): //nolint:gosec // jitter, no secret
		return true
	case <-ctx.Done():
		return true // the caller looks at ctx
	case <-db.closing:
		return false
	}
}

func (db *DB) wakeRelay(published bool) {
	if !published {
		return
	}
	select {
	case db.wake <- struct{}{}:
	default:
	}
}

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

// begin takes a connection and begins. On MySQL the writers' autocommit is off and the first statement begins: a round trip less.
func (db *DB) begin() (*transaction, error) {
	conn, err := db.writers.Conn(context.Background())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errConnect, err)
	}
	t := &transaction{db: db, tx: &Tx{dialect: db.dialect, conn: conn}}
	if db.dialect == SQLite {
		if _, err := t.tx.exec("BEGIN IMMEDIATE"); err != nil {
			t.rollback()
			return nil, fmt.Errorf("begin: %w", err)
		}
	}
	return t, nil
}

// call runs the closure of j and gives its error. What a closure that failed wanted published is forgotten.
func (t *transaction) call(j *job, g guard) error {
	t.tx.guard = g
	wanted := len(t.tx.outbox)
	j.turn <- t.tx
	err := <-j.ran
	if err != nil {
		t.tx.outbox = t.tx.outbox[:wanted]
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

// finish stores the outbox and commits; on MySQL both travel in one packet, where they fit.
func (t *transaction) finish() (outcome, error) {
	left := t.tx.outbox
	if n := batch(left); t.tx.dialect == MySQL && n > 0 && n == len(left) {
		return t.ending(t.tx.store(left, "; COMMIT"))
	}
	if err := t.storeOutbox(left); err != nil {
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
// committed, unless it was interrupted in the middle of it; the driver's ErrBadConn means that nothing of the statement was sent.
func outcomeOf(err error) outcome {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		if slices.Contains(mysqlAway, e.Number) || slices.Contains(mysqlInterrupted, e.Number) {
			return unknown
		}
		return undone
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok && slices.Contains([]int{sqliteBusy, sqliteLocked, sqliteFull}, e.Code()&0xff) {
		return undone
	}
	if errors.Is(err, driver.ErrBadConn) {
		return undone
	}
	return unknown
}

// rollback ends the transaction and gives the connection back, or throws it away where it cannot be trusted any more.
func (t *transaction) rollback() {
	_, err := t.tx.conn.ExecContext(context.Background(), "ROLLBACK")
	if t.tx.ended != nil && t.tx.dialect == SQLite {
		err = nil // SQLite may have rolled back by itself; the connection is sound either way
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
