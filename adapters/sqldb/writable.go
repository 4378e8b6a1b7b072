package sqldb

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/millrace/millrace/app/fault"
)

// ErrFull says that a write found no room.
var ErrFull = fault.New(fault.Unavailable, "database_full",
	"The database has no room: its disk is full. Nothing was changed; try again once there is space.")

// errSlowWrites is what readiness says where a write of one row is not done in time.
var errSlowWrites = fault.New(fault.Unavailable, "database_slow",
	"A write to the database is not done in time: it hangs, or waits for a lock or for its disk.")

// trouble is the last refusal of a write that concerns all writes.
type trouble struct{ last atomic.Pointer[refusal] }

type refusal struct {
	err *fault.Error
	at  time.Time
}

// fullFor is how long a write that found no room is remembered: a small one, as that of a probe, may still find some in between.
const fullFor = 15 * time.Second

// remember keeps err where it says that there is no room.
func (t *trouble) remember(err error) {
	if full(err) {
		t.last.Store(&refusal{ErrFull, time.Now()})
	}
}

func (t *trouble) recent() error {
	if r := t.last.Load(); r != nil && time.Since(r.at) < fullFor {
		return r.err
	}
	return nil
}

// remember keeps what err says about all writes. Where they are refused, the last probe says nothing any more.
func (db *DB) remember(err error) {
	db.trouble.remember(err)
	if e := condition(err); e == ErrReadOnly || e == ErrDisk {
		db.probe.mu.Lock()
		defer db.probe.mu.Unlock()
		db.probe.at = time.Time{}
	}
}

// full reports whether err says that there is no room.
func full(err error) bool {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return slices.Contains(mysqlFull, e.Number)
	}
	return sqliteCode(err)&0xff == sqliteFull
}

// Bounds of the probes: how old a result may be, and how long a caller waits for a new one.
const (
	probeEvery = 3 * time.Second
	probeWait  = 1500 * time.Millisecond
)

// probe is a write of one row that shows whether the database takes writes. Callers share it.
type probe struct {
	mu      sync.Mutex
	at      time.Time
	err     error
	running chan struct{} // closed once the probe that runs is done; nil where none does
}

// Writable reports whether the database takes writes: it writes one row, at most every three seconds, and found room lately. The error is a
// fault of kind Unavailable.
func (db *DB) Writable(ctx context.Context) error {
	if err := db.usable(); err != nil {
		return err
	}
	done := db.startProbe()
	timer := time.NewTimer(probeWait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		return errSlowWrites
	case <-ctx.Done():
		return errSlowWrites
	}
	db.probe.mu.Lock()
	err := db.probe.err
	db.probe.mu.Unlock()
	if err != nil {
		return err
	}
	return db.trouble.recent()
}

// startProbe begins a probe unless one runs or the last is young, and returns what is closed once its result is there.
func (db *DB) startProbe() <-chan struct{} {
	p := &db.probe
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		return p.running
	}
	done := make(chan struct{})
	if !p.at.IsZero() && time.Since(p.at) < probeEvery {
		close(done)
		return done
	}
	p.running = done
	go func() { // a caller who leaves does not end it
		err := db.writeProbe()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.at, p.err, p.running = time.Now(), err, nil
		close(done)
	}()
	return done
}

// writeProbe writes a row as every change does.
func (db *DB) writeProbe() error {
	ctx, cancel := context.WithTimeout(context.Background(), attemptsFor)
	defer cancel()
	query := "INSERT INTO write_probe (id, written_at) VALUES (1, " + //nolint:gosec // of constants
		db.dialect.now() + ") " + db.dialect.Upsert("id", "written_at")
	var err error
	if db.dialect == SQLite {
		err = db.Atomically(ctx, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Exec(ctx, query)
			return err
		})
	} else if _, err = db.control.ExecContext(ctx, query); err != nil { // behind no other change
		db.remember(err)
		err = classify(err)
	}
	switch {
	case errors.Is(err, ErrClosed):
		return nil
	case fault.Cancelled(err):
		return errSlowWrites.Because(err)
	}
	return err
}
