package eventsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
)

const poisonColumns = `number, id, status, consumer, type, source, partition_key, event_id, subject, reason, attempts, round,
	first_failed_at, last_failed_at, fingerprint, metadata, data, recorded_at`

// StorePoison implements command.Tx. Data that the database server does not take is left out, and its absence is said: this is the last
// place where the failure can be told.
func (t tx) StorePoison(ctx context.Context, p event.Poison) error {
	err := t.storePoison(ctx, p)
	if !errors.Is(err, sqldb.ErrTooLarge) || len(p.Data) == 0 {
		return err
	}
	p.Data, p.Metadata = nil, maps.Clone(p.Metadata)
	if p.Metadata == nil {
		p.Metadata = map[string]string{}
	}
	p.Metadata[envelope.MetaPoisonOmitted] = "payload"
	return t.storePoison(ctx, p)
}

func (t tx) storePoison(ctx context.Context, p event.Poison) error {
	metadata, err := encodeMetadata(p.Metadata)
	if err != nil {
		return err
	}
	_, err = t.Exec(ctx, `INSERT INTO poison (id, status, consumer, type, source, partition_key, event_id, subject, reason, attempts, round,
		first_failed_at, last_failed_at, fingerprint, metadata, data, recorded_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) `+t.dialect.Upsert("id", "id"),
		p.ID[:], text(string(p.Status)), text(p.Consumer), text(p.Type), text(p.Source), text(p.Key), p.EventID[:], text(p.Subject),
		text(p.Reason), p.Attempts, p.Round, sqldb.Micros(p.FirstFailedAt), sqldb.Micros(p.LastFailedAt), text(p.Fingerprint),
		metadata, blob(p.Data), sqldb.Micros(p.RecordedAt))
	if err != nil {
		return fmt.Errorf("insert into the poison queue: %w", err)
	}
	return nil
}

// PoisonForUpdate implements command.Tx.
func (t tx) PoisonForUpdate(ctx context.Context, id uuid.UUID) (event.Poison, error) {
	return onePoison(t.QueryRow(ctx, "SELECT "+poisonColumns+" FROM poison WHERE id = ?"+t.dialect.ForUpdate(), id[:]))
}

// SetPoisonStatus implements command.Tx.
func (t tx) SetPoisonStatus(ctx context.Context, p event.Poison) error {
	affected, err := t.Exec(ctx, "UPDATE poison SET status = ? WHERE id = ?", text(string(p.Status)), p.ID[:])
	if err != nil {
		return fmt.Errorf("set the status of a poison message: %w", err)
	}
	if affected == 0 {
		return event.ErrPoisonNotFound
	}
	return nil
}

// PoisonMessage implements query.Store.
func (s *Store) PoisonMessage(ctx context.Context, id uuid.UUID) (event.Poison, error) {
	return onePoison(s.db.QueryRow(ctx, "SELECT "+poisonColumns+" FROM poison WHERE id = ?", id[:]))
}

func onePoison(row sqldb.Scanner) (event.Poison, error) {
	p, _, err := scanPoison(row)
	if errors.Is(err, sql.ErrNoRows) {
		return event.Poison{}, event.ErrPoisonNotFound
	}
	return p, err
}

// scanPoison reads poisonColumns; size is what the message weighs.
func scanPoison(row sqldb.Scanner) (p event.Poison, size int, err error) {
	var (
		first, last, kept int64
		metadata          []byte
	)
	err = row.Scan(&p.Number, &p.ID, &p.Status, &p.Consumer, &p.Type, &p.Source, &p.Key, &p.EventID, &p.Subject, &p.Reason, &p.Attempts,
		&p.Round, &first, &last, &p.Fingerprint, &metadata, &p.Data, &kept)
	if err != nil {
		return p, 0, fmt.Errorf("read a poison message: %w", err)
	}
	p.FirstFailedAt, p.LastFailedAt, p.RecordedAt = sqldb.FromMicros(first), sqldb.FromMicros(last), sqldb.FromMicros(kept)
	p.Metadata, err = decodeMetadata(metadata)
	return p, 700 + len(p.Reason) + len(p.Key) + len(p.Subject) + len(metadata) + len(p.Data), err
}
