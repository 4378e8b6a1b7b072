package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "github.com/go-sql-driver/mysql" // the raw limits
	_ "modernc.org/sqlite"             // the raw limits

	"github.com/millrace/millrace/bench/cluster"
)

// Accounts of the run's MariaDB.
const (
	serviceAccount = "millrace"
	benchAccount   = "bench"
	natsPassword   = "bench-of-the-miller" // of the embedded server
)

// lab is what the sections of a run share: a MariaDB, and what they found.
type lab struct {
	options

	mariadb *cluster.MariaDB
	report  *report
	made    int // folders and prefixes of databases, which no two set-ups share
}

// newLab starts MariaDB in an empty folder.
func newLab(ctx context.Context, o options) (*lab, error) {
	if err := os.RemoveAll(o.dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, err
	}
	l := &lab{options: o}
	var err error
	if l.mariadb, err = cluster.NewMariaDB(ctx, o.dir, benchAccount, serviceAccount); err != nil {
		return nil, err
	}
	if err := l.mariadb.Start(); err != nil {
		return nil, err
	}
	if err := l.mariadb.AwaitReady(ctx, time.Minute); err != nil {
		return nil, errors.Join(err, l.close())
	}
	if l.report, err = newReport(ctx, l); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// close stops MariaDB and lets go of the folder.
func (l *lab) close() error {
	err := l.mariadb.Stop(time.Minute)
	if !l.keep && err == nil {
		err = os.RemoveAll(l.dir)
	}
	return err
}

// name gives a name that nothing else in this run has.
func (l *lab) name(what string) string {
	l.made++
	return fmt.Sprintf("%s%d", what, l.made)
}

// folder makes an empty folder for one set-up.
func (l *lab) folder(name string) (string, error) {
	path := filepath.Join(l.dir, name)
	return path, os.MkdirAll(path, 0o700)
}

// open connects to a database of the run's MariaDB as a program of its own would, with as many connections. One round trip per
// statement and READ COMMITTED, as the services have it.
func (l *lab) open(database string, connections int) (*sql.DB, error) {
	const settings = "?interpolateParams=true&parseTime=true&tx_isolation=%27READ-COMMITTED%27"
	db, err := sql.Open("mysql", l.mariadb.DSN(benchAccount)+database+settings)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// say tells the person who waits what is going on.
func (l *lab) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
