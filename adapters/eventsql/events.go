package eventsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/query"
)

const eventColumns = `position, event_id, type, source, partition_key, COALESCE(sequence, 0), time, recorded_at, correlation_id,
	causation_id, data`

// Events implements query.Store.
func (s *Store) Events(ctx context.Context, f query.EventFilter, p query.Page) (events []event.Record, next int64, err error) {
	search := newHistorySearch(s.db, f, p)
	if search.index, err = chooseIndex(ctx, s.db, "history", search.equalities); err != nil {
		return nil, 0, err
	}
	page := sqldb.NewPage[event.Record](p.Limit)
	until := time.Now().Add(searchTime)
	for {
		r, found, err := search.next(ctx)
		if err != nil || !found {
			return page.Items, 0, err
		}
		full, err := page.Read(func(last *event.Record, n int) (*sqldb.Rows, error) {
			if last != nil {
				r = r.behind(last.Position, p.Ascending)
			}
			query, args := search.statement(r, n)
			return s.db.Query(ctx, query, args...)
		}, scanWeighed)
		switch {
		case err != nil:
			return nil, 0, fmt.Errorf("read the history: %w", err)
		case full:
			return page.Items, page.Items[len(page.Items)-1].Position, nil
		case search.bounded && time.Now().After(until):
			return page.Items, search.reached(), nil
		}
	}
}

// scanWeighed also returns how large the event is in an answer, about.
func scanWeighed(row sqldb.Scanner) (r event.Record, size int, err error) {
	r, err = scanEvent(row)
	return r, 500 + len(r.Type) + len(r.Source) + len(r.Key) + len(r.CorrelationID) + len(r.CausationID) + len(r.Data), err
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

// mostFailures is how many of an event are shown: one that is requeued without end fails without end.
const mostFailures = 1000

// Failures implements query.Store.
func (s *Store) Failures(ctx context.Context, r event.Record) ([]event.Outcome, error) {
	rows, err := s.db.Query(ctx, `SELECT consumer, attempts, last_failed_at FROM poison WHERE event_id = ? AND source = ?
		ORDER BY number DESC LIMIT ?`, r.ID[:], text(r.Source), mostFailures)
	if err != nil {
		return nil, fmt.Errorf("read the failures of an event: %w", err)
	}
	failures, err := sqldb.Collect(rows, func(r sqldb.Scanner) (event.Outcome, error) {
		var at int64
		o := event.Outcome{Outcome: event.OutcomePoisoned}
		if err := r.Scan(&o.Consumer, &o.Attempt, &at); err != nil {
			return o, fmt.Errorf("read the failures of an event: %w", err)
		}
		o.At = sqldb.FromMicros(at)
		return o, nil
	})
	slices.Reverse(failures)
	return failures, err
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
