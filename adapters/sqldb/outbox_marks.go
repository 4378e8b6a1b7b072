package sqldb

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/outbox"
)

// Rows whose marks are stored by one statement: its CASE is read from the top for each row.
const markStep = 200

// Mark implements relay.Outbox.
func (o *Outbox) Mark(ctx context.Context, epoch int64, rows []outbox.Published) error {
	return o.change(ctx, epoch, rows, func(rows []outbox.Published) (string, []any) {
		set, args := "SET published_at = ?, stream_sequence = CASE id", []any{Micros(o.cfg.Now())}
		for _, r := range rows {
			set += " WHEN ? THEN ?"
			args = append(args, r.ID, int64(r.StreamSequence)) //nolint:gosec // streams never reach 2^63
		}
		return set + " END", args
	})
}

// Unmark implements relay.Outbox.
func (o *Outbox) Unmark(ctx context.Context, epoch int64, rows []outbox.Published) error {
	err := o.change(ctx, epoch, rows, func([]outbox.Published) (string, []any) {
		return "SET published_at = NULL, stream_sequence = NULL", nil
	})
	if err == nil {
		o.db.wakeRelay(len(rows) > 0)
	}
	return err
}

// change sets columns of rows, if the lease of epoch still stands.
func (o *Outbox) change(
	ctx context.Context, epoch int64, rows []outbox.Published, set func([]outbox.Published) (string, []any),
) error {
	if len(rows) == 0 {
		return nil
	}
	return o.db.aside(ctx, func(ctx context.Context, tx *Tx) error {
		var current int64
		err := tx.QueryRow(ctx, "SELECT epoch FROM lease WHERE name = 'relay'"+o.db.dialect.ForShare()).Scan(&current)
		if err != nil {
			return fmt.Errorf("read the lease: %w", err)
		}
		if current != epoch {
			return outbox.ErrLeaseLost
		}
		for left := rows; len(left) > 0; {
			step := left[:min(markStep, len(left))]
			left = left[len(step):]
			columns, args := set(step)
			for _, r := range step {
				args = append(args, r.ID)
			}
			query := "UPDATE outbox " + columns + " WHERE id IN " + Placeholders(len(step)) + o.db.dialect.Limit(len(step))
			if _, err := tx.Exec(ctx, query, args...); err != nil {
				return fmt.Errorf("mark the outbox: %w", err)
			}
		}
		return nil
	})
}

// Tail implements relay.Outbox.
func (o *Outbox) Tail(ctx context.Context, stream string, before uint64, limit int) ([]outbox.Published, error) {
	highest := int64(min(before, 1<<63-1)) //nolint:gosec // bounded on the same line
	rows, err := o.db.Query(ctx, "SELECT id, message_id, topic, stream_sequence"+o.byStream()+
		" AND stream_sequence < ? ORDER BY stream_sequence DESC LIMIT ?", stream, highest, limit)
	if err != nil {
		return nil, err
	}
	return Collect(rows, scanPublished)
}

func scanPublished(r Scanner) (p outbox.Published, err error) {
	var id uuid.UUID
	if err := r.Scan(&p.ID, &id, &p.Topic, &p.StreamSequence); err != nil {
		return p, fmt.Errorf("read the outbox: %w", err)
	}
	p.MessageID = id.String()
	return p, nil
}
