package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"

	_ "github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite"

	"github.com/millrace/millrace/bench/cluster"
)

// databases are this program's connections to the services' databases.
type databases struct {
	server    *sql.DB            // MariaDB without a selected database; nil with SQLite
	byService map[string]*sql.DB // by name of the service
}

// openDatabases returns the databases. It does not connect yet.
func openDatabases(s *system) (*databases, error) {
	d := &databases{byService: map[string]*sql.DB{}}
	for _, service := range cluster.Services {
		driver, dsn := "sqlite", "file:"+filepath.Join(s.dataDir, "millrace_"+service+".db")+"?mode=rw&_pragma=busy_timeout(10000)"
		if s.mariadb != nil {
			driver, dsn = "mysql", s.mariadb.DSN(testAccount)+"millrace_"+service
		}
		db, err := sql.Open(driver, dsn)
		if err != nil {
			return nil, fmt.Errorf("open the database of %s: %w", service, err)
		}
		db.SetMaxOpenConns(4)
		d.byService[service] = db
	}
	if s.mariadb == nil {
		return d, nil
	}
	var err error
	d.server, err = sql.Open("mysql", s.mariadb.DSN(testAccount))
	return d, err
}

// close closes all connections.
func (d *databases) close() {
	for _, db := range d.byService {
		_ = db.Close()
	}
	if d.server != nil {
		_ = d.server.Close()
	}
}

// count returns the result of a query that selects one number.
func (d *databases) count(ctx context.Context, service, query string) (int64, error) {
	var n int64
	if err := d.byService[service].QueryRowContext(ctx, query).Scan(&n); err != nil {
		return 0, fmt.Errorf("%s: %w", service, err)
	}
	return n, nil
}

// forEachRow runs a query and calls fn with the Scan method for each row.
func (d *databases) forEachRow(ctx context.Context, service, query string, fn func(scan func(...any) error) error) error {
	rows, err := d.byService[service].QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("%s: %w", service, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return fmt.Errorf("%s: %w", service, err)
		}
	}
	return rows.Err()
}
