package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/outbox"
)

// freshest is how many of a stream's highest places a purge looks at.
const freshest = 100

// Purgeable implements relay.Outbox. A stream's places grow with the time of the acknowledgement, so it looks at the lowest ones: an hour
// of published rows are millions, which no purge may read to find that nothing is over. It looks at the highest ones as well, because a
// stream that was made anew begins again below the places of the one before.
func (o *Outbox) Purgeable(ctx context.Context, age time.Duration, limit int) (over []outbox.Published, err error) {
	before := Micros(o.cfg.Now().Add(-age))
	known := map[int64]bool{}
	for _, stream := range envelope.Prefixes() {
		for _, end := range []struct {
			order string
			limit int
		}{{"", limit}, {" DESC", min(limit, freshest)}} {
			rows, err := o.acknowledged(ctx, stream, end.order, before, end.limit)
			if err != nil {
				return nil, err
			}
			for _, r := range rows {
				if r.over && !known[r.ID] && len(over) < limit {
					known[r.ID] = true
					over = append(over, r.Published)
				}
			}
			if len(rows) < end.limit {
				break // all of the stream
			}
		}
	}
	return over, nil
}

type acknowledgedRow struct {
	outbox.Published

	over bool
}

// acknowledged reads rows from one end of a stream, and whether they were acknowledged before.
func (o *Outbox) acknowledged(ctx context.Context, stream, order string, before int64, limit int) ([]acknowledgedRow, error) {
	rows, err := o.db.Query(ctx, "SELECT id, message_id, topic, stream_sequence, published_at < ?"+o.byStream()+
		" AND stream_sequence > 0 ORDER BY stream_sequence"+order+" LIMIT ?", before, stream, limit)
	if err != nil {
		return nil, err
	}
	return Collect(rows, func(r Scanner) (row acknowledgedRow, err error) {
		var id uuid.UUID
		if err := r.Scan(&row.ID, &id, &row.Topic, &row.StreamSequence, &row.over); err != nil {
			return row, fmt.Errorf("read the outbox: %w", err)
		}
		row.MessageID = id.String()
		return row, nil
	})
}

// Purge implements relay.Outbox.
func (o *Outbox) Purge(ctx context.Context, rows []outbox.Published) (deleted int64, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	ids := make([]any, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	err = o.db.aside(ctx, func(ctx context.Context, tx *Tx) error {
		deleted, err = tx.Exec(ctx, "DELETE FROM outbox WHERE id IN "+Placeholders(len(ids))+" AND stream_sequence IS NOT NULL"+
			o.db.dialect.Limit(len(ids)), ids...)
		return err
	})
	return deleted, err
}
