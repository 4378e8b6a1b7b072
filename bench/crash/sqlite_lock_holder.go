package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/millrace/millrace/bench/cluster"
)

// sqliteLockHolder holds the write lock of a service's SQLite database for a while, as a backup tool does. The service's writer then
// gets SQLITE_BUSY.
type sqliteLockHolder struct {
	databases *databases
	random    *rand.Rand
	faults    *faultCounts
}

// run takes locks until ctx is done.
func (h *sqliteLockHolder) run(ctx context.Context) {
	for cluster.Sleep(ctx, time.Duration(300+h.random.IntN(1500))*time.Millisecond) {
		service := cluster.Services[h.random.IntN(len(cluster.Services))]
		d := time.Duration(20+h.random.IntN(400)) * time.Millisecond
		if h.holdLock(ctx, service, d) == nil {
			h.faults.addLock(0)
		}
	}
}

// holdLock holds the write lock for d.
func (h *sqliteLockHolder) holdLock(ctx context.Context, service string, d time.Duration) error {
	conn, err := h.databases.byService[service].Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	cluster.Sleep(ctx, d)
	_, err = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	return err
}
