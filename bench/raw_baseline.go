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

// The INSERT statements of the order service and its outbox.
const (
	insertOrder = `INSERT INTO orders (id, user_id, status, items, currency, total, note, version, sequence, created_at, updated_at,
		cancelled_at, cancel_reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertOutbox = `INSERT INTO outbox (message_id, topic, partition_key, sequence, metadata, payload, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`
)

// orderRows are the rows of an order and its event.
type orderRows struct {
	userID                         []byte
	items                          []byte
	status, currency, note, reason string
	total, version, sequence       int64
	createdAt                      int64

	topic, key                    string
	metadata, payload             []byte
	eventSequence, eventCreatedAt int64
}

// readSampleRows reads the rows of an order that was placed over HTTP, so that the raw baseline writes as many bytes.
func readSampleRows(ctx context.Context, db *sql.DB) (r orderRows, err error) {
	err = db.QueryRowContext(ctx, `SELECT user_id, status, items, currency, total, note, version, sequence, created_at, cancel_reason
		FROM orders LIMIT 1`).
		Scan(&r.userID, &r.status, &r.items, &r.currency, &r.total, &r.note, &r.version, &r.sequence, &r.createdAt, &r.reason)
	if err != nil {
		return r, fmt.Errorf("read a sample order: %w", err)
	}
	err = db.QueryRowContext(ctx, "SELECT topic, partition_key, sequence, metadata, payload, created_at FROM outbox LIMIT 1").
		Scan(&r.topic, &r.key, &r.eventSequence, &r.metadata, &r.payload, &r.eventCreatedAt)
	if err != nil {
		return r, fmt.Errorf("read a sample event: %w", err)
	}
	return r, nil
}

// insert stores copies of the rows with new IDs in one transaction.
func (r orderRows) insert(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	id, event, now := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), time.Now().UnixMicro()
	_, err = tx.ExecContext(ctx, insertOrder, id[:], r.userID, r.status, r.items, r.currency, r.total, r.note, r.version, r.sequence,
		now, now, nil, r.reason)
	if err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, insertOutbox, event[:], r.topic, r.key, r.eventSequence, r.metadata, r.payload, now); err != nil {
		return err
	}
	return tx.Commit()
}

// rawBaseline measures the database alone: the INSERTs of an order without HTTP, relay and broker.
type rawBaseline struct {
	db   *sql.DB
	rows orderRows
}

// newRawBaseline creates a second set of the order service's tables, which no service uses.
func (s *system) newRawBaseline(ctx context.Context, connections int) (*rawBaseline, error) {
	sample, err := s.openDatabase("order")
	if err != nil {
		return nil, err
	}
	defer sample.Close()
	rows, err := readSampleRows(ctx, sample)
	if err != nil {
		return nil, err
	}
	db, err := s.harness.createTables(ctx, s.prefix == "", connections, ordersql.Migrations)
	return &rawBaseline{db: db, rows: rows}, err
}

// createTables creates a service's tables in a new database and returns a pool of connections to it.
func (h *harness) createTables(ctx context.Context, sqlite bool, connections int, migrations fs.FS) (*sql.DB, error) {
	name := h.uniqueName("raw")
	cfg := sqldb.Config{URL: "sqlite:", DataDir: h.dir, Name: name}
	if !sqlite {
		cfg.URL = h.mariadb.URL(benchAccount)
	}
	migrated, err := sqldb.Open(cfg)
	if err != nil {
		return nil, err
	}
	if err := migrated.Migrate(ctx, migrations); err != nil {
		return nil, err
	}
	if err := migrated.Close(); err != nil {
		return nil, err
	}
	if !sqlite {
		return h.openMariaDB(name, connections)
	}
	const parameters = "?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.dir, name+".db")+parameters)
	if err == nil {
		db.SetMaxOpenConns(1) // SQLite has one writer
	}
	return db, err
}

// workers returns a constructor of workers that insert orders.
func (b *rawBaseline) workers() func(ctx context.Context, i int) (*worker, error) {
	return func(context.Context, int) (*worker, error) {
		return &worker{step: func(ctx context.Context) error { return b.rows.insert(ctx, b.db) }, close: func() {}}, nil
	}
}
