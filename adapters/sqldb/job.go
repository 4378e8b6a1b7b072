package sqldb

import (
	"context"
	"errors"
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

// errNested says that a closure asked for another transaction, which would wait for the one that it is in.
var errNested = errors.New("a transaction within a transaction: use the one that is given")

// inside marks the context of a closure; its value is the database.
type inside struct{}

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
	return db.front.through(ctx, fn)
}

// aside is Atomically for the service's own work in many rows: on MySQL it has a writer of its own, and holds up no caller.
func (db *DB) aside(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return db.side.through(ctx, fn)
}

// through takes fn through a transaction.
func (d *door) through(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	if err := d.usable(); err != nil {
		return err
	}
	if ctx.Value(inside{}) == d.DB {
		return errNested
	}
	if err := d.cfg.Intact(); err != nil {
		return err
	}
	j := &job{ctx: ctx, fn: fn, turn: make(chan *Tx), ran: make(chan error), done: make(chan error, 1)}
	select {
	case d.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-d.closing:
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
	err := j.fn(context.WithValue(context.WithoutCancel(j.ctx), inside{}, tx.db), tx)
	returned = true
	j.ran <- err
}
