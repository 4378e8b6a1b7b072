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

// stores are the services' databases, seen from outside.
type stores struct {
	server *sql.DB            // MariaDB itself; nil on SQLite
	of     map[string]*sql.DB // by service
}

// openStores opens them without reaching for them.
func openStores(c *system) (*stores, error) {
	s := &stores{of: map[string]*sql.DB{}}
	for _, service := range cluster.Services {
		driver, dsn := "sqlite", "file:"+filepath.Join(c.dataDir, "millrace_"+service+".db")+"?mode=rw&_pragma=busy_timeout(10000)"
		if c.mariadb != nil {
			driver, dsn = "mysql", c.mariadb.DSN(ours)+"millrace_"+service
		}
		db, err := sql.Open(driver, dsn)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", service, err)
		}
		db.SetMaxOpenConns(4)
		s.of[service] = db
	}
	if c.mariadb == nil {
		return s, nil
	}
	var err error
	s.server, err = sql.Open("mysql", c.mariadb.DSN(ours))
	return s, err
}

// close lets go of everything.
func (s *stores) close() {
	for _, db := range s.of {
		_ = db.Close()
	}
	if s.server != nil {
		_ = s.server.Close()
	}
}

// count runs a query that gives one number.
func (s *stores) count(ctx context.Context, service, query string) (int64, error) {
	var n int64
	if err := s.of[service].QueryRowContext(ctx, query).Scan(&n); err != nil {
		return 0, fmt.Errorf("%s: %w", service, err)
	}
	return n, nil
}
