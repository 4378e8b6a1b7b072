// Package dataset fills the tables of the event service for tests and benchmarks of large histories.
package dataset

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/adapters/sqldb"
)

// What is rare in the tables: of the type, only the 20 oldest events; of the consumer and the poison type, three messages.
const (
	RareType       = "rare.thing.v1"
	RareConsumer   = "rare-consumer"
	RarePoisonType = "rare.failure.v1"
	HotKey         = "hot" // a tenth of all events
)

// Begin is the time of the first event. Each later one is a second later, give or take a few minutes; one in 10,007 claims to be of Begin.
var Begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// step is how many rows a statement stores at most, so that it ends well within the time that the server gives it.
const step = 1 << 15

// FillHistory makes an empty history one of n events with the positions 1 to n: three types, each of a source of its own.
func FillHistory(ctx context.Context, db *sqldb.DB, n int) error {
	f := filler{ctx: ctx, db: db}
	f.exec(`INSERT INTO history (id, position, event_id, type, source, partition_key, sequence, time, recorded_at, correlation_id,
		causation_id, metadata, data) VALUES (1, 1, ?, ?, '/millrace/user', 'key-1', 1, ?, ?, 'request-0', '', '{}', ?)`,
		[]byte("event-0000000001"), []byte(RareType), sqldb.Micros(Begin), sqldb.Micros(Begin), payload(300))
	f.grow(n, func(id string) string {
		return "INSERT INTO history (id, position, event_id, type, source, partition_key, sequence, time, recorded_at, correlation_id," +
			" causation_id, metadata, data) SELECT " + id + ", " + id + ", " + f.text("event-%010d", id) + ", " +
			f.oneOf("CASE WHEN "+id+" <= 20 THEN '"+RareType+"' WHEN "+id+" % 3 = 0 THEN 'order.placed.v1' WHEN "+id+
				" % 3 = 1 THEN 'user.created.v1' ELSE 'meter.read.v1' END") + ", " +
			f.oneOf("CASE "+id+" % 3 WHEN 0 THEN '/millrace/order' WHEN 1 THEN '/millrace/user' ELSE '/clients/a' END") + ", " +
			"CASE WHEN " + id + " % 10 = 0 THEN " + f.oneOf("'"+HotKey+"'") + " ELSE " + f.text("key-%d", id+" % 100000") + " END, 1, " +
			fmt.Sprintf("CASE WHEN %s %% 10007 = 0 THEN %d ELSE %d + %s * 1000000 + %s * 7919 %% 300000000 END, ", id, sqldb.Micros(Begin),
				sqldb.Micros(Begin), id, id) +
			fmt.Sprintf("%d + %s * 1000000, ", sqldb.Micros(Begin), id) + f.text("request-%d", id+" - "+id+" % 4") + ", '', metadata, data" +
			" FROM history WHERE id <= "
	})
	blocks := "INSERT INTO history_blocks SELECT (position - 1) / 200, MIN(time), MAX(time) FROM history GROUP BY 1"
	if db.Dialect() == sqldb.MySQL {
		blocks = "INSERT INTO history_blocks SELECT (position - 1) DIV 200 AS block, MIN(time), MAX(time) FROM history" +
			" WHERE position BETWEEN ? AND ? GROUP BY block"
		for low := 1; low <= n; low += 200_000 {
			f.exec(blocks, low, low+199_999)
		}
	} else {
		f.exec(blocks)
	}
	f.exec("UPDATE history_position SET last = ? WHERE id = 1", n)
	return f.err
}

// FillPoison makes an empty poison queue one of n messages, one in a hundred of them open, each a second after the one before.
func FillPoison(ctx context.Context, db *sqldb.DB, n int) error {
	f := filler{ctx: ctx, db: db}
	f.exec(`INSERT INTO poison (number, id, status, consumer, type, source, partition_key, event_id, subject, reason, attempts, round,
		first_failed_at, last_failed_at, fingerprint, metadata, data, recorded_at)
		VALUES (1, ?, 'open', ?, ?, '/millrace/user', 'key-1', ?, 'events.user.created.v1', 'cannot read it', 12, 0, ?, ?, 'f0', '{}', ?, ?)`,
		[]byte("poison-000000001"), []byte(RareConsumer), []byte(RarePoisonType), []byte("event-0000000001"), sqldb.Micros(Begin),
		sqldb.Micros(Begin), payload(1000), sqldb.Micros(Begin))
	f.grow(n, func(id string) string {
		at := fmt.Sprintf("%d + %s * 1000000", sqldb.Micros(Begin), id)
		return "INSERT INTO poison (number, id, status, consumer, type, source, partition_key, event_id, subject, reason, attempts, round," +
			" first_failed_at, last_failed_at, fingerprint, metadata, data, recorded_at) SELECT " + id + ", " + f.text("poison-%09d", id) + ", " +
			f.oneOf("CASE WHEN "+id+" % 100 = 1 THEN 'open' ELSE 'requeued' END") + ", " +
			f.oneOf("CASE WHEN "+id+" <= 3 THEN '"+RareConsumer+"' WHEN "+id+" % 2 = 0 THEN 'order-customers' ELSE 'event-history' END") + ", " +
			f.oneOf("CASE WHEN "+id+" <= 3 THEN '"+RarePoisonType+"' WHEN "+id+" % 3 = 0 THEN 'user.created.v1' ELSE 'order.placed.v1' END") +
			", source, " + f.text("key-%d", id+" % 5000") + ", " + f.text("event-%010d", id) +
			", subject, reason, attempts, round, " + at + ", " + at + ", " + f.text("f%d", id+" % 50") + ", metadata, data, " + at +
			" FROM poison WHERE number <= "
	})
	return f.err
}

func payload(size int) []byte {
	return fmt.Appendf(nil, `{"text":"%0*d"}`, size-11, 0)
}

// filler runs statements until one fails.
type filler struct {
	ctx context.Context //nolint:containedctx // it lives as long as the call that made it
	db  *sqldb.DB
	err error
}

func (f *filler) exec(query string, args ...any) {
	if f.err != nil {
		return
	}
	f.err = f.db.Atomically(f.ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
}

// grow copies rows, the first of which is there, until there are n. insert copies those up to the number that is put behind it; the new
// rows have the number id.
func (f *filler) grow(n int, insert func(id string) string) {
	for have := 1; have < n && f.err == nil; {
		more := min(have, step, n-have)
		column := "id"
		if statement := insert("x"); statement[len("INSERT INTO ")] == 'p' {
			column = "number"
		}
		f.exec(fmt.Sprintf("%s%d", insert(fmt.Sprintf("(%s + %d)", column, have)), more))
		have += more
	}
}

// text is a printf of a number, as bytes. The verb must be %d or %0<width>d, at the end.
func (f *filler) text(format, number string) string {
	if f.db.Dialect() == sqldb.SQLite {
		return "CAST(printf('" + format + "', " + number + ") AS BLOB)"
	}
	var prefix string
	width := 0
	for i := range format {
		if format[i] == '%' {
			prefix = format[:i]
			_, _ = fmt.Sscanf(format[i:], "%%0%dd", &width)
			break
		}
	}
	if width == 0 {
		return "CONCAT('" + prefix + "', " + number + ")"
	}
	return fmt.Sprintf("CONCAT('%s', LPAD(%s, %d, '0'))", prefix, number, width)
}

// oneOf is an expression that is a text, as bytes.
func (f *filler) oneOf(expression string) string {
	if f.db.Dialect() == sqldb.SQLite {
		return "CAST(" + expression + " AS BLOB)"
	}
	return expression
}
