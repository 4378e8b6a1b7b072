package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/inbox"
)

// Failures counts failed attempts and moves aside what is given up. It implements router.Failures.
type Failures struct {
	db     *DB
	outbox *Outbox
	gap    time.Duration
	now    func() time.Time
}

// NewFailures gives the failures of the consumers whose database is db. gap is how long they wait for a missing predecessor.
func NewFailures(db *DB, outbox *Outbox, gap time.Duration, now func() time.Time) *Failures {
	return &Failures{db: db, outbox: outbox, gap: gap, now: now}
}

// Failed implements router.Failures.
func (f *Failures) Failed(ctx context.Context, failure inbox.Failure, n int) (count inbox.Count, err error) {
	id, now := failureID(failure.Event), f.now()
	err = f.db.Atomically(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, tx.dialect.InsertIgnore()+` failures (consumer, event_id, round, attempts, first_failed_at, last_failed_at)
			VALUES (?, ?, ?, 0, ?, ?)`, failure.Consumer, id[:], failure.Round, Micros(now), Micros(now))
		if err != nil {
			return fmt.Errorf("begin to count failures: %w", err)
		}
		var (
			round int
			first int64
		)
		err = tx.QueryRow(ctx, "SELECT round, attempts, first_failed_at FROM failures WHERE consumer = ? AND event_id = ?"+
			tx.dialect.ForUpdate(), failure.Consumer, id[:]).Scan(&round, &count.Attempts, &first)
		switch {
		case err != nil:
			return fmt.Errorf("read the failures: %w", err)
		case failure.Round < round:
			return inbox.ErrSuperseded
		case failure.Round > round: // a new round begins at 0
			count.Attempts, first = 0, Micros(now)
		}
		count.Attempts += n
		count.First, count.Last = FromMicros(first), FromMicros(Micros(now))
		_, err = tx.Exec(ctx, `UPDATE failures SET round = ?, attempts = ?, first_failed_at = ?, last_failed_at = ?
			WHERE consumer = ? AND event_id = ?`, failure.Round, count.Attempts, first, Micros(now), failure.Consumer, id[:])
		if err != nil {
			return fmt.Errorf("count a failure: %w", err)
		}
		return nil
	})
	return count, err
}

// failureID is what an event's failures are counted under. An ID is the publisher's: two sources may use the same.
func failureID(e envelope.Envelope) uuid.UUID {
	return uuid.NewSHA1(envelope.UUID(e.Source, e.ID), []byte(e.Source))
}

// GiveUp implements router.Failures. An event whose predecessors are still missing gives ErrEarly and is not given up before its turn,
// unless the gap is the reason. Nor is an event that was applied after all.
func (f *Failures) GiveUp(ctx context.Context, failure inbox.Failure, count inbox.Count) error {
	err := f.giveUp(ctx, failure, count, maxEntry)
	if errors.Is(err, ErrTooLarge) { // perhaps for the very reason that the event is given up
		err = f.giveUp(ctx, failure, count, 0)
	}
	return err
}

// giveUp leaves the payload out where the poison message would be larger than most: it stands in its stream, and that it failed must be
// told all the same.
func (f *Failures) giveUp(ctx context.Context, failure inbox.Failure, count inbox.Count, most int) error {
	var put error
	err := f.db.Atomically(ctx, func(ctx context.Context, tx *Tx) (err error) {
		var open bool
		if open, put, err = f.leaveOut(ctx, tx, failure); err != nil || put != nil || !open {
			return err
		}
		id := PoisonID(failure.Consumer, failure.Event, failure.Round)
		if given, err := f.given(ctx, tx, id); err != nil || given {
			return err
		}
		entry := Entry{
			MessageID: id, Topic: envelope.PoisonTopic(failure.Consumer), Key: failure.Event.Key,
			Metadata: poisonMetadata(id, failure, count), Payload: failure.Event.Data,
		}
		omitted := omitMetadata(entry.Metadata)
		if entry.size() > most {
			entry.Payload, omitted = nil, append(omitted, "payload")
		}
		if len(omitted) > 0 {
			entry.Metadata[envelope.MetaPoisonOmitted] = strings.Join(omitted, ", ")
		}
		return f.outbox.Add(ctx, tx, entry)
	})
	if err != nil {
		return err
	}
	return put
}

// leaveOut marks the event as left out. open is false where there is nothing to give up.
func (f *Failures) leaveOut(ctx context.Context, tx *Tx, failure inbox.Failure) (open bool, put, err error) {
	e := failure.Event
	if e.Sequence == 0 {
		seen, err := unnumberedOf(failure.Consumer, e).seen(ctx, tx)
		return !seen, nil, err
	}
	p := placeOf(failure.Consumer, e)
	at, err := p.lock(ctx, tx, e.Sequence, f.now())
	if err != nil {
		return false, nil, err
	}
	switch {
	case e.Sequence <= at.sequence:
		out, err := p.leftOut(ctx, tx, e.Sequence)
		return out != nil, nil, err
	case e.Sequence > at.sequence+1 && !failure.Gap:
		gone, err := p.gone(ctx, tx, at, f.now(), f.gap)
		if err != nil || !gone {
			return false, at.early(e.Sequence), err
		}
	}
	if err := p.leaveOut(ctx, tx, at.sequence+1, e.Sequence); err != nil {
		return false, nil, err
	}
	return true, nil, p.advance(ctx, tx, at.sequence, e.Sequence, 0, f.now())
}

// given reports whether the poison message is in the outbox already.
func (f *Failures) given(ctx context.Context, tx *Tx, id uuid.UUID) (bool, error) {
	var n int
	if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM outbox WHERE message_id = ?", id[:]).Scan(&n); err != nil {
		return false, fmt.Errorf("look for the poison message: %w", err)
	}
	return n > 0, nil
}
