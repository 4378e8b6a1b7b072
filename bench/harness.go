package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "github.com/go-sql-driver/mysql" // driver of the raw baseline
	_ "modernc.org/sqlite"             // driver of the raw baseline

	"github.com/millrace/millrace/bench/cluster"
)

// Accounts on MariaDB, and the password of the embedded NATS server. They are not secret: all servers listen on loopback for the
// duration of a run.
const (
	serviceAccount = "millrace"
	benchAccount   = "bench"
	natsPassword   = "password-of-the-benchmark"
)

// harness is what the sections of a run share: MariaDB and the report.
type harness struct {
	options

	mariadb   *cluster.MariaDB
	report    *report
	nameCount int // number of names that uniqueName has returned
}

// newHarness starts MariaDB in an empty directory.
func newHarness(ctx context.Context, o options) (*harness, error) {
	if err := os.RemoveAll(o.dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, err
	}
	h := &harness{options: o}
	var err error
	if h.mariadb, err = cluster.NewMariaDB(ctx, o.dir, benchAccount, serviceAccount); err != nil {
		return nil, err
	}
	if err := h.mariadb.Start(); err != nil {
		return nil, err
	}
	if err := h.mariadb.AwaitReady(ctx, time.Minute); err != nil {
		return nil, errors.Join(err, h.close())
	}
	if h.report, err = newReport(ctx, h); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// close stops MariaDB and removes the directory, unless it is to be kept.
func (h *harness) close() error {
	err := h.mariadb.Stop(time.Minute)
	if !h.keep && err == nil {
		err = os.RemoveAll(h.dir)
	}
	return err
}

// uniqueName returns prefix with a number that no other name of this run has. Directories and databases are named by it.
func (h *harness) uniqueName(prefix string) string {
	h.nameCount++
	return fmt.Sprintf("%s%d", prefix, h.nameCount)
}

// makeDir creates a directory for the data and logs of one system.
func (h *harness) makeDir(name string) (string, error) {
	path := filepath.Join(h.dir, name)
	return path, os.MkdirAll(path, 0o700)
}

// openMariaDB opens a pool of connections to a database. As in the services, statements need one round trip each and transactions are
// READ COMMITTED.
func (h *harness) openMariaDB(database string, connections int) (*sql.DB, error) {
	const parameters = "?interpolateParams=true&parseTime=true&tx_isolation=%27READ-COMMITTED%27"
	db, err := sql.Open("mysql", h.mariadb.DSN(benchAccount)+database+parameters)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// progress prints a line with the time to standard error.
func (h *harness) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
