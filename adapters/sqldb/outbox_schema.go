package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/ThreeDotsLabs/watermill"
	wmsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
)

// Bounds of one statement that stores outbox rows, so that it fits the packet that any server takes.
const (
	rowsAtOnce  = 100
	bytesAtOnce = 2 << 20
)

// storeOutbox writes what the closures wanted published, through Watermill's publisher on the same transaction: all of it in one
// statement, mostly. Any error undoes the transaction.
func (t *transaction) storeOutbox(entries []Entry) error {
	for left := entries; len(left) > 0; {
		n := batch(left)
		if err := t.tx.store(left[:n], packet{}, ""); err != nil {
			t.end(err)
			return err
		}
		left = left[n:]
	}
	return nil
}

// batch is how many of the entries one statement takes, from the first on.
func batch(entries []Entry) (n int) {
	size := 0
	for n < len(entries) && n < rowsAtOnce && (n == 0 || size+entries[n].size() <= bytesAtOnce) {
		size += entries[n].size()
		n++
	}
	return n
}

// store writes entries, in one packet with the statements before and behind them.
func (tx *Tx) store(entries []Entry, before packet, behind string) error {
	tx.guard = unguarded
	publisher, err := wmsql.NewPublisher(executor{tx, before, behind}, wmsql.PublisherConfig{SchemaAdapter: outboxSchema{entries}},
		watermill.NopLogger{})
	if err != nil {
		return fmt.Errorf("outbox publisher: %w", err)
	}
	messages := make([]*message.Message, len(entries))
	for i, m := range entries {
		messages[i] = message.NewMessage(m.MessageID.String(), m.Payload)
		messages[i].Metadata = m.Metadata
	}
	if err := publisher.Publish("outbox", messages...); err != nil {
		return fmt.Errorf("store in the outbox: %w", err)
	}
	return nil
}

// outboxSchema writes messages in our schema: bytes, where Watermill's own keeps JSON, and all topics in one table. It is for
// publishing alone. Reading is the relay's work, because Watermill's subscriber loses messages on MySQL (docs/adr).
type outboxSchema struct{ entries []Entry }

var errPublishOnly = errors.New("the outbox schema is for publishing; the relay reads it")

// InsertQuery implements wmsql.SchemaAdapter. The messages are those of the entries.
func (s outboxSchema) InsertQuery(_ string, msgs message.Messages) (wmsql.Query, error) {
	args := make([]any, 0, 7*len(msgs))
	for i, msg := range msgs {
		payload := []byte(msg.Payload)
		if payload == nil {
			payload = []byte{}
		}
		m := s.entries[i]
		args = append(args, m.MessageID[:], m.Topic, fit(m.Key), m.Sequence, m.encoded, payload, Micros(m.createdAt))
	}
	return wmsql.Query{
		Query: "INSERT INTO outbox (message_id, topic, partition_key, sequence, metadata, payload, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)" +
			strings.Repeat(", (?, ?, ?, ?, ?, ?, ?)", len(msgs)-1),
		Args: args,
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
type executor struct {
	tx     *Tx
	before packet
	behind string
}

var errWriteOnly = errors.New("the publisher only writes")

// ExecContext implements wmsql.ContextExecutor.
func (e executor) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return e.Exec(query, args...)
}

// Exec implements wmsql.ContextExecutor.
func (e executor) Exec(query string, args ...any) (sql.Result, error) {
	p := e.before.then(query+e.behind, args...)
	return e.tx.exec(p.query, p.args...)
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
