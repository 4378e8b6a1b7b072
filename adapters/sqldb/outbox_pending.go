package sqldb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/outbox"
)

// byStream begins the conditions of a SELECT that reads the rows of one stream by their places, or those that have none by their IDs.
func (o *Outbox) byStream() string {
	return " FROM outbox" + o.db.dialect.UseIndex("outbox_stream") + " WHERE stream = ?"
}

// Pending implements relay.Outbox. Each stream is read for itself: rows of a stream that is not asked for cost nothing.
func (o *Outbox) Pending(ctx context.Context, streams []string, after int64, limit int) (pending []outbox.Pending, more bool, err error) {
	end := int64(math.MaxInt64) // what lies behind it was not read of each stream
	for _, stream := range streams {
		rows, cut, err := o.pending(ctx, stream, after, limit)
		if err != nil {
			return nil, false, err
		}
		if cut {
			end, more = min(end, rows[len(rows)-1].ID), true
		}
		pending = append(pending, rows...)
	}
	pending = slices.DeleteFunc(pending, func(p outbox.Pending) bool { return p.ID > end })
	slices.SortFunc(pending, func(a, b outbox.Pending) int { return cmp.Compare(a.ID, b.ID) })
	return pending, more, nil
}

// pending reads rows of one stream; cut says that there may be more.
func (o *Outbox) pending(ctx context.Context, stream string, after int64, limit int) (pending []outbox.Pending, cut bool, err error) {
	rows, err := o.db.Query(ctx, "SELECT id, message_id, topic, partition_key, sequence, metadata, payload, created_at"+o.byStream()+
		" AND stream_sequence IS NULL AND id > ? ORDER BY id LIMIT ?", stream, after, limit)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = rows.Close() }()
	size := 0
	for size < outbox.PageBytes && rows.Next() {
		var (
			p         outbox.Pending
			id        uuid.UUID
			createdAt int64
		)
		if err := rows.Scan(&p.ID, &id, &p.Topic, &p.Key, &p.Sequence, &p.Encoded, &p.Payload, &createdAt); err != nil {
			return nil, false, fmt.Errorf("read the outbox: %w", err)
		}
		p.MessageID, p.CreatedAt = id.String(), FromMicros(createdAt)
		pending = append(pending, p)
		size += len(p.Payload) + len(p.Encoded)
	}
	return pending, len(pending) == limit || size >= outbox.PageBytes, rows.Err()
}

// countStep is how many rows a statement counts at most: a backlog of any length is counted without a statement that takes long.
const countStep = 50_000

// Backlog implements relay.Outbox. The oldest row is the one with the lowest ID: IDs are drawn in about the order of time.
func (o *Outbox) Backlog(ctx context.Context) (b outbox.Backlog, err error) {
	for _, stream := range envelope.Prefixes() {
		var oldest int64
		err := o.db.QueryRow(ctx, "SELECT created_at"+o.byStream()+" AND stream_sequence IS NULL ORDER BY id LIMIT 1", stream).Scan(&oldest)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return b, fmt.Errorf("look for the oldest row of the outbox: %w", err)
		}
		if at := FromMicros(oldest); b.Oldest.IsZero() || at.Before(b.Oldest) {
			b.Oldest = at
		}
		n, err := o.count(ctx, stream)
		if err != nil {
			return b, err
		}
		b.Rows += n
	}
	return b, nil
}

// count counts the rows of a stream that wait.
func (o *Outbox) count(ctx context.Context, stream string) (sum int64, err error) {
	for after := int64(0); ; {
		var n, last int64
		err := o.db.QueryRow(ctx, "SELECT COUNT(*), COALESCE(MAX(id), 0) FROM (SELECT id"+o.byStream()+
			" AND stream_sequence IS NULL AND id > ? ORDER BY id LIMIT ?) step", stream, after, countStep).Scan(&n, &last)
		if err != nil {
			return 0, fmt.Errorf("count the outbox: %w", err)
		}
		if sum += n; n < countStep {
			return sum, nil
		}
		after = last
	}
}
