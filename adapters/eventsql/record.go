package eventsql

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/event"
)

// Record implements command.Tx. The upsert that sets nothing new passes over a repeat alone: INSERT IGNORE would also pass over
// an event that the table refuses, and the event would be lost.
func (t tx) Record(ctx context.Context, r event.Record) error {
	metadata, err := encodeMetadata(r.Metadata)
	if err != nil {
		return err
	}
	_, err = t.Exec(ctx, `INSERT INTO history (event_id, type, source, partition_key, sequence, time, recorded_at, correlation_id,
		causation_id, metadata, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) `+t.dialect.Upsert("event_id, source", "event_id"),
		r.ID[:], text(r.Type), text(r.Source), text(r.Key), sql.NullInt64{Int64: r.Sequence, Valid: r.Sequence > 0},
		sqldb.Micros(r.Time), sqldb.Micros(r.RecordedAt), text(r.CorrelationID), text(r.CausationID), metadata, blob(r.Data))
	if err != nil {
		return fmt.Errorf("insert into the history: %w", err)
	}
	return nil
}

// NoteAccess implements command.Tx.
func (t tx) NoteAccess(ctx context.Context, c event.UserChange) error {
	return sqldb.NoteAccess(ctx, t.Tx, c.User, c.Deleted)
}
