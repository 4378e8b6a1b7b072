package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/app/backoff"
)

// secureDelete has SQLite write zeros over what is deleted; without it the bytes stay in the file until their place is used again.
const secureDelete = "_pragma=secure_delete(1)"

// Times of the truncation of SQLite's write-ahead log.
const (
	truncateEvery   = 10 * time.Minute       // also without an erasure: what was replaced is in the log too
	truncatePause   = time.Second            // between two
	truncateRetry   = 100 * time.Millisecond // behind one that a reader was in the way of; doubled each time
	truncateSlowest = 10 * time.Second
	truncateTries   = 5                     // in one go, in which nobody else writes
	truncateTry     = 10 * time.Millisecond // between these
	truncateTold    = time.Minute           // how long one may be delayed before the log tells
)

// Erases says that the transaction deletes personal data. Once it is committed, nothing of that data stays in SQLite's files: what is
// deleted is overwritten in the database, and the write-ahead log, which still holds the pages of before, is truncated as soon as no
// reader needs them. A process that is killed in between does so at its next start. On MySQL there is nothing that a client could do; see
// docs/security.md for what stays there.
func (tx *Tx) Erases() { tx.erases = tx.dialect == SQLite }

// wakeTruncation has the write-ahead log truncated soon.
func (db *DB) wakeTruncation(erases bool) {
	if !erases || db.dialect != SQLite {
		return
	}
	select {
	case db.erased <- struct{}{}:
	default:
	}
}

// truncateLog truncates SQLite's write-ahead log behind erasures and every ten minutes, until the database is closed, which truncates it
// once more.
func (db *DB) truncateLog() {
	every := time.NewTicker(truncateEvery)
	defer every.Stop()
	for {
		select {
		case <-db.closing:
			return
		case <-db.erased:
		case <-every.C:
		}
		if !db.ready.Load() { // Migrate asks again
			continue
		}
		db.truncating.Lock()
		db.truncateUntilDone()
		db.truncating.Unlock()
		if !db.sleep(truncatePause) {
			return
		}
	}
}

// truncateUntilDone tries until no reader is in the way.
func (db *DB) truncateUntilDone() {
	began, told := time.Now(), false
	for attempt := 1; ; attempt++ {
		done, err := db.truncate()
		if done {
			return
		}
		if !told && time.Since(began) > truncateTold {
			told = true
			db.log.Warn("deleted data is still in the write-ahead log, which cannot be truncated yet", "database", db.cfg.Name, "error", err)
		}
		if !db.sleep(backoff.Exponential(truncateRetry, truncateSlowest, attempt)) {
			return
		}
	}
}

// truncate copies the write-ahead log into the database and truncates it, if no reader needs what is in it. It takes the writer, so that
// its log stays still: new readers then read the database alone, and those of before end. It waits for none of them for longer than
// its few tries, because nobody can write meanwhile.
func (db *DB) truncate() (done bool, err error) {
	ctx := context.Background()
	conn, err := db.writers.Conn(ctx)
	if err != nil {
		return false, fmt.Errorf("take the writer: %w", err)
	}
	defer conn.Close()
	var timeout int
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&timeout); err != nil {
		return false, fmt.Errorf("read the time limit of locks: %w", err)
	}
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 0"); err != nil {
		return false, fmt.Errorf("wait for no lock: %w", err)
	}
	for try := 0; try < truncateTries && !done && err == nil; try++ {
		if try == 0 || db.sleep(truncateTry) {
			done, err = checkpoint(ctx, conn)
		}
	}
	_, restored := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", timeout))
	return done, errors.Join(err, restored)
}

func checkpoint(ctx context.Context, conn *sql.Conn) (done bool, err error) {
	var busy, pages, copied int
	if err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &copied); err != nil {
		return false, fmt.Errorf("truncate the write-ahead log: %w", err)
	}
	return busy == 0, nil
}

// sleep waits, and reports whether the database is still open.
func (db *DB) sleep(d time.Duration) bool {
	select {
	case <-db.closing:
		return false
	case <-time.After(d):
		return true
	}
}
