// Package usersql keeps accounts, and the keys that sign access tokens, in a database.
package usersql

import (
	"context"
	"embed"
	"io/fs"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/app/user/query"
)

//go:embed migrations
var files embed.FS

// Migrations are the schema of the user service, for sqldb.Migrate.
var Migrations = must(fs.Sub(files, "migrations"))

func must(migrations fs.FS, err error) fs.FS {
	if err != nil {
		panic(err) // the folder is in the binary
	}
	return migrations
}

// Store implements what the user service's commands and queries need.
type Store struct {
	db     *sqldb.DB
	outbox *sqldb.Outbox
}

var (
	_ command.Store      = (*Store)(nil)
	_ query.Store        = (*Store)(nil)
	_ query.SessionStore = (*Store)(nil)
)

// NewStore gives the store in db, whose events go to outbox.
func NewStore(db *sqldb.DB, outbox *sqldb.Outbox) *Store { return &Store{db: db, outbox: outbox} }

// Atomically implements command.Store.
func (s *Store) Atomically(ctx context.Context, fn func(ctx context.Context, tx command.Tx) error) error {
	return s.db.Atomically(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		return fn(ctx, tx{Tx: t, dialect: s.db.Dialect(), outbox: s.outbox})
	})
}

// ByID implements command.Store and query.Store.
func (s *Store) ByID(ctx context.Context, id uuid.UUID) (user.User, error) {
	return scanOne(s.db.QueryRow(ctx, "SELECT "+columns+" FROM users WHERE id = ?", id[:]))
}

// ByEmail implements command.Store.
func (s *Store) ByEmail(ctx context.Context, email string) (user.User, error) {
	return scanOne(s.db.QueryRow(ctx, "SELECT "+columns+" FROM users WHERE email = ?", []byte(email)))
}

// List implements query.Store.
func (s *Store) List(ctx context.Context, f query.Filter, limit int) (users []user.User, more bool, err error) {
	return sqldb.ReadPage(limit, func(last *user.User, n int) (*sqldb.Rows, error) {
		if last != nil {
			f.Behind = &last.ID
		}
		return s.list(ctx, f, n)
	}, func(r sqldb.Scanner) (one user.User, size int, err error) {
		one, err = scan(r)
		return one, 300 + len(one.Email) + len(one.Name), err
	})
}

func (s *Store) list(ctx context.Context, f query.Filter, limit int) (*sqldb.Rows, error) {
	where, args := "1 = 1", []any{}
	if f.Email != "" {
		where, args = where+" AND email = ?", append(args, []byte(f.Email))
	}
	if f.Behind != nil {
		where, args = where+" AND id < ?", append(args, f.Behind[:])
	}
	return s.db.Query(ctx, "SELECT "+columns+" FROM users WHERE "+where+" ORDER BY id DESC LIMIT ?", append(args, limit)...)
}
