// Package eventsql keeps the history and the poison queue in a database.
package eventsql

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event/command"
	"github.com/millrace/millrace/app/event/query"
)

// Migrations are the schema of the event service, for sqldb.Migrate.
//
//go:embed mysql/*.sql sqlite/*.sql
var Migrations embed.FS

// Store implements what the event service's commands and queries need.
type Store struct {
	db     *sqldb.DB
	outbox *sqldb.Outbox
	key    envelope.RequeueKey
}

var (
	_ command.Store = (*Store)(nil)
	_ query.Store   = (*Store)(nil)
)

// NewStore returns the store in db. What is requeued goes to outbox, signed with key.
func NewStore(db *sqldb.DB, outbox *sqldb.Outbox, key envelope.RequeueKey) *Store {
	return &Store{db: db, outbox: outbox, key: key}
}

// Atomically implements command.Store.
func (s *Store) Atomically(ctx context.Context, fn func(ctx context.Context, tx command.Tx) error) error {
	return s.db.Atomically(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		return fn(ctx, tx{Tx: t, dialect: s.db.Dialect(), outbox: s.outbox, key: s.key})
	})
}

// tx implements command.Tx.
type tx struct {
	*sqldb.Tx

	dialect sqldb.Dialect
	outbox  *sqldb.Outbox
	key     envelope.RequeueKey
}

// text gives what a publisher wrote as the bytes that it is stored and compared as: it need not be valid in any encoding.
func text(s string) []byte { return []byte(s) }

// blob gives data as what is stored for it: nothing is no NULL.
func blob(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

func encodeMetadata(metadata map[string]string) ([]byte, error) {
	if metadata == nil {
		return []byte("{}"), nil
	}
	encoded, err := json.Marshal(metadata)
	if err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	return encoded, nil
}

func decodeMetadata(encoded []byte) (map[string]string, error) {
	var metadata map[string]string
	if err := json.Unmarshal(encoded, &metadata); err != nil {
		return nil, fmt.Errorf("decode metadata: %w", err)
	}
	return metadata, nil
}
