package sqldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	wmsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
)

// outboxSchema writes one message in our schema: bytes, where Watermill's own keeps JSON, and all topics in one table. It is for
// publishing alone. Reading is the relay's work, because Watermill's subscriber loses messages on MySQL (docs/adr).
type outboxSchema struct {
	entry Entry
	now   time.Time
}

var errPublishOnly = errors.New("the outbox schema is for publishing; the relay reads it")

// InsertQuery implements wmsql.SchemaAdapter.
func (s outboxSchema) InsertQuery(topic string, msgs message.Messages) (wmsql.Query, error) {
	metadata, err := json.Marshal(msgs[0].Metadata)
	if err != nil {
		return wmsql.Query{}, err
	}
	payload := []byte(msgs[0].Payload)
	if payload == nil {
		payload = []byte{}
	}
	return wmsql.Query{
		Query: "INSERT INTO outbox (message_id, topic, partition_key, sequence, metadata, payload, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
		Args:  []any{s.entry.MessageID[:], topic, s.entry.Key, s.entry.Sequence, metadata, payload, Micros(s.now)},
	}, nil
}

// SelectQuery implements wmsql.SchemaAdapter.
func (outboxSchema) SelectQuery(string, string, wmsql.OffsetsAdapter) wmsql.Query {
	return wmsql.Query{}
}

// UnmarshalMessage implements wmsql.SchemaAdapter.
func (outboxSchema) UnmarshalMessage(wmsql.Scanner) (wmsql.Row, error) {
	return wmsql.Row{}, errPublishOnly
}

// SchemaInitializingQueries implements wmsql.SchemaAdapter.
func (outboxSchema) SchemaInitializingQueries(string) []wmsql.Query { return nil }

// SubscribeIsolationLevel implements wmsql.SchemaAdapter.
func (outboxSchema) SubscribeIsolationLevel() sql.IsolationLevel { return sql.LevelReadCommitted }

// executor lets Watermill's publisher write through a Tx, so that the door hears of each error.
type executor struct{ tx *Tx }

var errWriteOnly = errors.New("the publisher only writes")

// ExecContext implements wmsql.ContextExecutor.
func (e executor) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return e.tx.exec(query, args...)
}

// Exec implements wmsql.ContextExecutor.
func (e executor) Exec(query string, args ...any) (sql.Result, error) {
	return e.tx.exec(query, args...)
}

// Query implements wmsql.ContextExecutor.
func (executor) Query(string, ...any) (*sql.Rows, error) { return nil, errWriteOnly }

// QueryRow implements wmsql.ContextExecutor.
func (executor) QueryRow(string, ...any) *sql.Row { return nil }

// QueryContext implements wmsql.ContextExecutor.
func (executor) QueryContext(context.Context, string, ...any) (*sql.Rows, error) {
	return nil, errWriteOnly
}

// QueryRowContext implements wmsql.ContextExecutor.
func (executor) QueryRowContext(context.Context, string, ...any) *sql.Row { return nil }
