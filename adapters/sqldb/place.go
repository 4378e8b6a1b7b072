package sqldb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/app/envelope"
)

// place is where the events of one key stand for one consumer.
type place struct{ consumer, source, key string }

// mark is the last sequence applied or given up at a place, and since when a successor has been waiting for its predecessor.
type mark struct {
	sequence   int64
	earlySince time.Time // zero where none waits
	seen       time.Time // when the place changed, or a waiting event was seen, last
}

// early is ErrEarly for the event number sequence, and knows how many are missing before it.
func (m mark) early(sequence int64) error { return early{ErrEarly, sequence - m.sequence - 1} }

type early struct {
	error

	ahead int64
}

// Ahead is how many predecessors of the event are missing.
func (e early) Ahead() int64 { return e.ahead }

// Unwrap gives ErrEarly.
func (e early) Unwrap() error { return e.error }

// span is a run of sequences that were jumped over, both ends included. Runs, because a foreign publisher may jump by millions.
type span struct{ first, last int64 }

const (
	atPlace     = " WHERE consumer = ? AND source = ? AND partition_key = ?"
	placeFields = "consumer, source, partition_key"
)

// placeOf is where the events of e's key stand.
func placeOf(consumer string, e envelope.Envelope) place {
	return place{consumer, fit(e.Source), fit(e.Key)}
}

// fit shortens what a foreign publisher made longer than our columns, so that two long ones stay different.
func fit(s string) string {
	const width = 255
	if len(s) <= width {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return s[:width-2*len(sum)] + hex.EncodeToString(sum[:])
}

func (p place) args(more ...any) []any { return append([]any{p.consumer, p.source, p.key}, more...) }

// lock reads the mark and keeps others from it until the commit. A place that is new begins before 1, or before sequence where
// the stream did not begin at 1 when the consumer was made.
func (p place) lock(ctx context.Context, tx *Tx, sequence int64, now time.Time) (mark, error) {
	m, err := p.read(ctx, tx)
	if !errors.Is(err, sql.ErrNoRows) {
		return m, err
	}
	complete := true
	err = tx.QueryRow(ctx, "SELECT complete FROM inbox_origin WHERE consumer = ?", p.consumer).Scan(&complete)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return m, fmt.Errorf("read the consumer's origin: %w", err)
	}
	begin := int64(0)
	if !complete {
		begin = sequence - 1
	}
	made, err := tx.Exec(ctx, tx.dialect.InsertIgnore()+" inbox ("+placeFields+", sequence, applied, updated_at) VALUES (?, ?, ?, ?, 0, ?)",
		p.args(begin, Micros(now))...)
	if err != nil {
		return m, fmt.Errorf("begin the inbox of a key: %w", err)
	}
	if made == 1 { // what is jumped over here may still be on its way
		if err := p.leaveOut(ctx, tx, 1, begin); err != nil {
			return m, err
		}
	}
	return p.read(ctx, tx)
}

func (p place) read(ctx context.Context, tx *Tx) (m mark, err error) {
	var (
		early sql.NullInt64
		seen  int64
	)
	err = tx.QueryRow(ctx, "SELECT sequence, early_since, updated_at FROM inbox"+atPlace+tx.dialect.ForUpdate(), p.args()...).
		Scan(&m.sequence, &early, &seen)
	if err != nil {
		return m, fmt.Errorf("read the inbox: %w", err)
	}
	m.seen = FromMicros(seen)
	if early.Valid {
		m.earlySince = FromMicros(early.Int64)
	}
	return m, nil
}

// advance moves the mark from one sequence to another and counts applied effects.
func (p place) advance(ctx context.Context, tx *Tx, from, to int64, applied int, now time.Time) error {
	args := append([]any{to, applied, Micros(now)}, p.args(from)...)
	n, err := tx.Exec(ctx, `UPDATE inbox SET sequence = ?, applied = applied + ?, early_since = NULL, updated_at = ?`+
		atPlace+" AND sequence = ?", args...)
	if err != nil {
		return fmt.Errorf("advance the inbox: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("advance the inbox: the place of %s moved while it was locked", p.consumer)
	}
	return nil
}

// count adds an effect that did not move the mark.
func (p place) count(ctx context.Context, tx *Tx) error {
	if _, err := tx.Exec(ctx, "UPDATE inbox SET applied = applied + 1"+atPlace, p.args()...); err != nil {
		return fmt.Errorf("count in the inbox: %w", err)
	}
	return nil
}

// outOfSight is the longest time between two looks at a waiting event for which the wait still counts. The event comes back every few
// seconds; if it did not, the consumer or the broker was away, and its predecessors had no chance to come.
const outOfSight = time.Minute

// gone reports whether the predecessors of an early event have been waited for long enough. It remembers that the event was seen.
func (p place) gone(ctx context.Context, tx *Tx, at mark, now time.Time, gap time.Duration) (bool, error) {
	since := at.earlySince
	if since.IsZero() || now.Sub(at.seen) > outOfSight {
		since = now
	}
	if now.Sub(since) >= gap {
		return true, nil
	}
	args := append([]any{Micros(since), Micros(now)}, p.args()...)
	if _, err := tx.Exec(ctx, "UPDATE inbox SET early_since = ?, updated_at = ?"+atPlace, args...); err != nil {
		return false, fmt.Errorf("remember the gap: %w", err)
	}
	return false, nil
}

// leaveOut remembers that the sequences from first to last were jumped over.
func (p place) leaveOut(ctx context.Context, tx *Tx, first, last int64) error {
	if first > last {
		return nil
	}
	_, err := tx.Exec(ctx, "INSERT INTO inbox_left_out ("+placeFields+", first_sequence, last_sequence) VALUES (?, ?, ?, ?, ?)",
		p.args(first, last)...)
	if err != nil {
		return fmt.Errorf("remember what was left out: %w", err)
	}
	return nil
}

// leftOut gives the span of jumped-over sequences that holds sequence, nil where it was applied. Spans do not overlap, so the one that
// begins last at or below it is the only one that may: a key can have any number of them.
func (p place) leftOut(ctx context.Context, tx *Tx, sequence int64) (*span, error) {
	var s span
	err := tx.QueryRow(ctx, "SELECT first_sequence, last_sequence FROM inbox_left_out"+atPlace+
		" AND first_sequence <= ? ORDER BY first_sequence DESC LIMIT 1"+tx.dialect.ForUpdate(), p.args(sequence)...).Scan(&s.first, &s.last)
	if errors.Is(err, sql.ErrNoRows) || err == nil && s.last < sequence {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was left out: %w", err)
	}
	return &s, nil
}

// takeIn removes sequence from the span that held it.
func (p place) takeIn(ctx context.Context, tx *Tx, s span, sequence int64) error {
	if _, err := tx.Exec(ctx, "DELETE FROM inbox_left_out"+atPlace+" AND first_sequence = ?", p.args(s.first)...); err != nil {
		return fmt.Errorf("take in what was left out: %w", err)
	}
	if err := p.leaveOut(ctx, tx, s.first, sequence-1); err != nil {
		return err
	}
	return p.leaveOut(ctx, tx, sequence+1, s.last)
}
