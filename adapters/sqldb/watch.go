package sqldb

import (
	"context"
	"errors"
	"time"
)

// errHung says that the server was asked and did not answer.
var errHung = errors.New("the database server does not answer")

// The watch asks the server this often, and takes it for hung behind this time: readiness tells within two seconds.
const (
	watchEvery = 300 * time.Millisecond
	watchLimit = 1500 * time.Millisecond
)

// watch is a circuit breaker. It asks the server again and again, and opens when neither this nor any other statement is answered: then
// requests are refused at once, and who waits for an answer stops waiting. It closes with the first answer. It ends with Close.
func (db *DB) watch() {
	defer db.hung.Store(false)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-db.closing:
			return
		case <-ticker.C:
		}
		asked := time.Now()
		err := db.ask()
		switch hung := db.hung.Load(); {
		case err == nil && hung:
			db.hung.Store(false)
			db.log.Info("the database answers again")
		case errors.Is(err, context.DeadlineExceeded) && db.sessions.answered.Load() < asked.UnixNano():
			if !hung {
				db.hung.Store(true)
				db.log.Warn("the database does not answer; requests are refused until it does", "waited", watchLimit.String())
			}
			db.sessions.cut()
		}
	}
}

// ask has the server answer a statement. The error is context.DeadlineExceeded where it does not in time.
func (db *DB) ask() error {
	ctx, cancel := context.WithTimeout(context.Background(), watchLimit)
	defer cancel()
	var n int
	err := db.control.QueryRowContext(ctx, "SELECT 1").Scan(&n)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
