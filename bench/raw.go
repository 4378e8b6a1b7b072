package main

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/ordersql"
	"github.com/millrace/millrace/adapters/sqldb"
)

// The statements of the order service and of its outbox.
const (
	insertOrder = `INSERT INTO orders (id, user_id, status, items, currency, total, note, version, sequence, created_at, updated_at,
		cancelled_at, cancel_reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertOutbox = `INSERT INTO outbox (message_id, topic, partition_key, sequence, metadata, payload, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`
)

// rows are an order and its event as the order service stored them.
type rows struct {
	user                              []byte
	items                             []byte
	status, currency, note, reason    string
	total, version, sequence          int64
	topic, key                        string
	metadata, payload                 []byte
	eventSequence, created, eventMade int64
}

// sampleRows reads the rows of an order that was placed over HTTP, so that the raw limit writes as much.
func sampleRows(ctx context.Context, db *sql.DB) (r rows, err error) {
	err = db.QueryRowContext(ctx, `SELECT user_id, status, items, currency, total, note, version, sequence, created_at, cancel_reason
		FROM orders LIMIT 1`).
		Scan(&r.user, &r.status, &r.items, &r.currency, &r.total, &r.note, &r.version, &r.sequence, &r.created, &r.reason)
	if err != nil {
		return r, fmt.Errorf("read a sample order: %w", err)
	}
	err = db.QueryRowContext(ctx, "SELECT topic, partition_key, sequence, metadata, payload, created_at FROM outbox LIMIT 1").
		Scan(&r.topic, &r.key, &r.eventSequence, &r.metadata, &r.payload, &r.eventMade)
	if err != nil {
		return r, fmt.Errorf("read a sample event: %w", err)
	}
	return r, nil
}

// write stores a new order and its event in one transaction.
func (r rows) write(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	id, event, now := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), time.Now().UnixMicro()
	_, err = tx.ExecContext(ctx, insertOrder, id[:], r.user, r.status, r.items, r.currency, r.total, r.note, r.version, r.sequence,
		now, now, nil, r.reason)
	if err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, insertOutbox, event[:], r.topic, r.key, r.eventSequence, r.metadata, r.payload, now); err != nil {
		return err
	}
	return tx.Commit()
}

// limit is the raw limit: what the database alone does.
type limit struct {
	db   *sql.DB
	rows rows
}

// newLimit makes the order service's tables once more, with nobody behind them.
func (s *system) newLimit(ctx context.Context, connections int) (*limit, error) {
	sample, err := s.database("order")
	if err != nil {
		return nil, err
	}
	defer sample.Close()
	r, err := sampleRows(ctx, sample)
	if err != nil {
		return nil, err
	}
	db, err := s.lab.tables(ctx, s.prefix == "", connections, ordersql.Migrations)
	return &limit{db: db, rows: r}, err
}

// tables makes a service's tables in a database of their own.
func (l *lab) tables(ctx context.Context, lite bool, connections int, migrations fs.FS) (*sql.DB, error) {
	name := l.name("raw")
	cfg := sqldb.Config{URL: "sqlite:", DataDir: l.dir, Name: name}
	if !lite {
		cfg.URL = l.mariadb.URL(benchAccount)
	}
	made, err := sqldb.Open(cfg)
	if err != nil {
		return nil, err
	}
	if err := made.Migrate(ctx, migrations); err != nil {
		return nil, err
	}
	if err := made.Close(); err != nil {
		return nil, err
	}
	if !lite {
		return l.open(name, connections)
	}
	const settings = "?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	db, err := sql.Open("sqlite", "file:"+filepath.Join(l.dir, name+".db")+settings)
	if err == nil {
		db.SetMaxOpenConns(1) // SQLite has one writer
	}
	return db, err
}

// writers hires workers that write to the database alone.
func (l *limit) writers() func(ctx context.Context, i int) (*worker, error) {
	return func(context.Context, int) (*worker, error) {
		return &worker{step: func(ctx context.Context) error { return l.rows.write(ctx, l.db) }, close: func() {}}, nil
	}
}
