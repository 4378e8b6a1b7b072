package sqldb

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"time"
)

// Bounds of the attempts at a transaction that the database ended and that may run again.
const (
	maxAttempts = 10
	attemptsFor = 8 * time.Second // after the first; each may wait for locks
)

// door is a queue of closures, and the writers that take them through transactions.
//
// Two of its writers work at a time, as long as they are quick: closures that arrive meanwhile wait and share the next transaction. A
// writer that is held up, by a lock or a slow closure, passes its turn on.
type door struct {
	*DB

	jobs chan *job
	turn chan struct{} // a writer takes from it before it begins a transaction
}

// atOnce is how many writers work at a time. More of them have smaller groups, which cost more for each closure; a single one leaves the
// processors idle while the disk syncs.
const atOnce = 2

// heldUp is how long a writer keeps the turn.
const heldUp = 25 * time.Millisecond

// open opens a door with a number of writers.
func (db *DB) open(writers int) *door {
	d := &door{DB: db, jobs: make(chan *job), turn: make(chan struct{}, writers)}
	for range min(atOnce, writers) {
		d.pass()
	}
	for range writers {
		db.writing.Go(d.serve)
	}
	return d
}

func (d *door) pass() { d.turn <- struct{}{} }

// serve is the work of one writer: it takes a waiting closure, and whoever else waits, through a transaction.
func (d *door) serve() {
	for {
		select {
		case <-d.closing:
			return
		case <-d.turn:
		}
		select {
		case <-d.closing:
			return
		case first := <-d.jobs:
			late := time.AfterFunc(heldUp, d.pass)
			d.group(first)
			if late.Stop() {
				d.pass()
			}
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
func (d *door) group(first *job) {
	if err := first.ctx.Err(); err != nil {
		first.done <- err
		return
	}
	t, err := d.begin(true)
	if err != nil {
		first.done <- classify(err)
		return
	}
	members := []member{{first, t.call(first, unguarded)}}
	if members[0].err == nil {
		members = d.gather(t, members)
	}
	if t.tx.ended != nil || members[0].err != nil {
		t.rollback()
		if t.tx.ended == nil { // first failed by itself, and nobody else came in
			first.done <- members[0].err
			return
		}
		d.separately(members)
		return
	}
	switch outcome, err := t.finish(); outcome {
	case committed:
		d.wakeRelay(len(t.tx.outbox) > 0)
		d.wakeTruncation(t.tx.erases)
		for _, m := range members {
			m.job.done <- m.err
		}
	case undone:
		d.separately(members)
	case unknown:
		for _, m := range members {
			m.job.done <- ErrOutcomeUnknown.Because(err)
		}
	}
}

// gather lets the waiting closures into t, up to the group's limits.
func (d *door) gather(t *transaction, members []member) []member {
	until, waited := time.Now().Add(d.cfg.GroupFor), false
	for len(members) < d.cfg.GroupMax && t.tx.ended == nil && time.Now().Before(until) {
		select {
		case j := <-d.jobs:
			if err := j.ctx.Err(); err != nil {
				j.done <- err
				continue
			}
			members, waited = append(members, member{j, t.callGuarded(j)}), false
		default:
			if waited {
				return members
			}
			runtime.Gosched() // lets in callers who are on their way; if there are none, this costs nothing
			waited = true
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

// refusedAttempts is how many new connections a closure tries while the server refuses writes: after a failover the first leads to the new
// primary, or none does for a while.
const refusedAttempts = 3

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
		if refusesWrites(numberOf(err)) && attempt+1 >= refusedAttempts {
			break
		}
	}
	return classify(err)
}

// attempt runs j once. final is false where another attempt makes sense.
func (db *DB) attempt(j *job) (final bool, err error) {
	t, err := db.begin(false)
	if err != nil {
		return errors.Is(err, errConnect), classify(err)
	}
	if err = t.call(j, unguarded); err == nil {
		err = t.storeOutbox(t.tx.outbox)
	}
	if err != nil || t.tx.ended != nil {
		t.rollback()
		db.remember(t.tx.ended)
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
		db.wakeTruncation(t.tx.erases)
		return true, nil
	case unknown:
		return true, ErrOutcomeUnknown.Because(err)
	case undone:
	}
	db.remember(err)
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
