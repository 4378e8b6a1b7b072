// Package ordersql keeps orders, and what is known of customers, in a database.
package ordersql

import (
	"context"
	"embed"
	"io/fs"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/app/order/query"
)

//go:embed migrations
var files embed.FS

// Migrations are the schema of the order service, for sqldb.Migrate.
var Migrations = must(fs.Sub(files, "migrations"))

func must(migrations fs.FS, err error) fs.FS {
	if err != nil {
		panic(err) // the folder is in the binary
	}
	return migrations
}

// Store implements what the order service's commands and queries need.
type Store struct {
	db     *sqldb.DB
	outbox *sqldb.Outbox
	inbox  *sqldb.Inbox
}

var (
	_ command.Store = (*Store)(nil)
	_ command.Inbox = (*Store)(nil)
	_ query.Store   = (*Store)(nil)
)

// NewStore gives the store in db. Its events go to outbox; inbox is that of the consumer of user events.
func NewStore(db *sqldb.DB, outbox *sqldb.Outbox, inbox *sqldb.Inbox) *Store {
	return &Store{db: db, outbox: outbox, inbox: inbox}
}

// Atomically implements command.Store.
func (s *Store) Atomically(ctx context.Context, fn func(ctx context.Context, tx command.Tx) error) error {
	return s.db.Atomically(ctx, func(ctx context.Context, t *sqldb.Tx) error { return fn(ctx, s.tx(t)) })
}

// Apply implements command.Inbox.
func (s *Store) Apply(
	ctx context.Context, e envelope.Envelope, effect func(ctx context.Context, tx command.Tx, late bool) error,
) error {
	return s.inbox.Apply(ctx, e, func(ctx context.Context, t *sqldb.Tx, late bool) error { return effect(ctx, s.tx(t), late) })
}

// ApplyInSteps implements command.Inbox.
func (s *Store) ApplyInSteps(
	ctx context.Context, e envelope.Envelope, step func(ctx context.Context, tx command.Tx, late bool) (done bool, err error),
) error {
	return s.inbox.ApplyInSteps(ctx, e, func(ctx context.Context, t *sqldb.Tx, late bool) (bool, error) {
		return step(ctx, s.tx(t), late)
	})
}

func (s *Store) tx(t *sqldb.Tx) tx { return tx{Tx: t, dialect: s.db.Dialect(), outbox: s.outbox} }

// ByID implements query.Store.
func (s *Store) ByID(ctx context.Context, id uuid.UUID) (order.Order, error) {
	return scanOne(s.db.QueryRow(ctx, "SELECT "+columns+" FROM orders WHERE id = ?", id[:]))
}
