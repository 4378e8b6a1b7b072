package eventsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/query"
)

const eventColumns = `position, event_id, type, source, partition_key, COALESCE(sequence, 0), time, recorded_at, correlation_id,
	causation_id, data`

// Events implements query.Store.
func (s *Store) Events(ctx context.Context, f query.EventFilter, p query.Page) (events []event.Record, more bool, err error) {
	var w where
	w.equal("correlation_id", f.CorrelationID)
	w.equal("partition_key", f.Key)
	w.equal("type", f.Type)
	w.equal("source", f.Source)
	w.between("time", f.After, f.Before)
	ending, args := w.page("position", p)
	rows, err := s.db.Query(ctx, "SELECT "+eventColumns+" FROM history"+ending, args...)
	if err != nil {
		return nil, false, fmt.Errorf("read the history: %w", err)
	}
	return readPage(rows, p.Limit, func(row sqldb.Scanner) (r event.Record, size int, err error) {
		r, err = scanEvent(row)
		return r, len(r.Data), err
	})
}

// Event implements query.Store.
func (s *Store) Event(ctx context.Context, id uuid.UUID) (event.Record, error) {
	var metadata []byte
	row := s.db.QueryRow(ctx, "SELECT "+eventColumns+`, metadata FROM history
		WHERE event_id = ? AND position IS NOT NULL ORDER BY position LIMIT 1`, id[:])
	r, err := scanEvent(row, &metadata)
	if errors.Is(err, sql.ErrNoRows) {
		return event.Record{}, event.ErrNotFound
	}
	if err != nil {
		return event.Record{}, err
	}
	r.Metadata, err = decodeMetadata(metadata)
	return r, err
}

// Failures implements query.Store.
func (s *Store) Failures(ctx context.Context, r event.Record) ([]event.Outcome, error) {
	rows, err := s.db.Query(ctx, `SELECT consumer, attempts, last_failed_at FROM poison WHERE event_id = ? AND source = ? ORDER BY number`,
		r.ID[:], text(r.Source))
	if err != nil {
		return nil, fmt.Errorf("read the failures of an event: %w", err)
	}
	return sqldb.Collect(rows, func(r sqldb.Scanner) (event.Outcome, error) {
		var at int64
		o := event.Outcome{Outcome: event.OutcomePoisoned}
		if err := r.Scan(&o.Consumer, &o.Attempt, &at); err != nil {
			return o, fmt.Errorf("read the failures of an event: %w", err)
		}
		o.At = sqldb.FromMicros(at)
		return o, nil
	})
}

// scanEvent reads eventColumns and whatever else was selected behind them.
func scanEvent(row sqldb.Scanner, further ...any) (event.Record, error) {
	var (
		r              event.Record
		happened, kept int64
	)
	dest := append([]any{&r.Position, &r.ID, &r.Type, &r.Source, &r.Key, &r.Sequence, &happened, &kept, &r.CorrelationID, &r.CausationID,
		&r.Data}, further...)
	if err := row.Scan(dest...); err != nil {
		return r, fmt.Errorf("read an event: %w", err)
	}
	r.Time, r.RecordedAt = sqldb.FromMicros(happened), sqldb.FromMicros(kept)
	return r, nil
}
