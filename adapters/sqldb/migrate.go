package sqldb

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed mysql/*.sql sqlite/*.sql
var common embed.FS

// Migrate brings the database to the newest schema: first what every service has (outbox, inbox, lease, failures), then the
// service's own from the folders mysql and sqlite of migrations. It makes the database where it may. Replicas may call it at once. Each
// file holds one statement that can be repeated, because on MySQL DDL commits by itself.
func (db *DB) Migrate(ctx context.Context, migrations fs.FS) error {
	pool, err := db.migrationPool(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	for _, set := range []struct {
		table string
		files fs.FS
	}{{"migrations_common", common}, {"migrations_service", migrations}} {
		if err := db.up(ctx, pool, set.table, set.files); err != nil {
			return fmt.Errorf("migrate %s: %w", db.cfg.Name, classify(err))
		}
	}
	db.ready.Store(true)
	db.wakeTruncation(true) // of a process that was killed between an erasure and its truncation
	if db.dialect == MySQL {
		db.watching.Do(func() { db.writing.Go(db.watch) })
	}
	return nil
}

func (db *DB) up(ctx context.Context, pool *sql.DB, table string, files fs.FS) error {
	folder, err := fs.Sub(files, db.dialect.String())
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{
		goose.WithTableName(table), goose.WithDisableGlobalRegistry(true), goose.WithSlog(db.log.With("database", db.cfg.Name)),
	}
	dialect := goose.DialectSQLite3
	if db.dialect == MySQL {
		dialect = goose.DialectMySQL
		locker, err := lock.NewMySQLTableLocker(lock.WithTableLockTimeout(250*time.Millisecond, 480))
		if err != nil {
			return err
		}
		options = append(options, goose.WithLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, pool, folder, options...)
	if err != nil {
		return err
	}
	return db.apply(ctx, provider, pool, table)
}

// apply applies the pending migrations, and logs before and after: a large table takes its time. The version is read without goose, which
// would make its table outside of the lock that keeps replicas apart.
func (db *DB) apply(ctx context.Context, provider *goose.Provider, pool *sql.DB, table string) error {
	log := db.log.With("database", db.cfg.Name, "set", table)
	sources := provider.ListSources()
	target := sources[len(sources)-1].Version
	var current sql.NullInt64 // stays 0 where the table is still to be made
	_ = pool.QueryRowContext(ctx, "SELECT MAX(version_id) FROM "+table).Scan(&current)
	if current.Int64 < target {
		log.InfoContext(ctx, "migrating the database", "from", current.Int64, "to", target)
	}
	began := time.Now()
	applied, err := provider.Up(ctx)
	if err == nil && len(applied) > 0 {
		log.InfoContext(ctx, "database migrated", "migrations", len(applied), "took", time.Since(began).Round(time.Millisecond).String())
	}
	return err
}

// migrationPool gives connections of their own to the migrations: those of the writers do not commit by themselves.
func (db *DB) migrationPool(ctx context.Context) (*sql.DB, error) {
	if db.dialect == SQLite {
		path, err := sqlitePath(db.cfg)
		if err != nil {
			return nil, err
		}
		pool, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&"+secureDelete)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", path, err)
		}
		pool.SetMaxOpenConns(1)
		return pool, nil
	}
	cfg, err := mysqlConfig(db.cfg.URL, db.cfg.Name)
	if err != nil {
		return nil, err
	}
	if err := db.createDatabase(ctx, cfg); err != nil {
		return nil, err
	}
	cfg.ClientFoundRows, cfg.ParseTime = false, true // goose's lock counts changed rows and reads its times
	cfg.ReadTimeout = 0                              // a table may be large
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("the database URL: %w", err)
	}
	return sql.OpenDB(connector), nil
}

// createDatabase makes the database if it is missing, on a server whose settings are looked at first. A user without the right to do so
// gets an error only in that case.
func (db *DB) createDatabase(ctx context.Context, cfg *mysql.Config) error {
	server := cfg.Clone()
	server.DBName = ""
	connector, err := mysql.NewConnector(server)
	if err != nil {
		return fmt.Errorf("the database URL: %w", err)
	}
	pool := sql.OpenDB(connector)
	defer func() { _ = pool.Close() }()
	if err := db.checkServer(ctx, pool); err != nil {
		return err
	}
	var name string
	err = pool.QueryRowContext(ctx, "SELECT schema_name FROM information_schema.schemata WHERE schema_name = ?", cfg.DBName).Scan(&name)
	if err == nil {
		return nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return classify(err)
	}
	_, err = pool.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS `"+cfg.DBName+"` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	if err != nil {
		return fmt.Errorf("create the database %s: %w", cfg.DBName, classify(err))
	}
	return nil
}
