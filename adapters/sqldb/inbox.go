package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/inbox"
)

// ErrEarly puts an event back until its predecessor was applied.
var ErrEarly = fault.New(fault.Early, "early", "The event is ahead of its predecessor.")

// ErrGap gives an event up whose predecessors have not come for the whole gap time.
var ErrGap = fault.New(fault.Invalid, inbox.CodeGap, "The event's predecessors never came.")

// ErrUnfinished puts an event back whose steps took longer than an attempt may. It is no failure: what was done stays done, and the
// next delivery goes on behind it.
var ErrUnfinished = fault.New(fault.Early, "unfinished", "The event needs more steps than fit into one attempt.")

// InboxConfig says whose inbox it is and what a gap means to it.
type InboxConfig struct {
	Consumer string
	Gap      time.Duration // how long a missing predecessor is waited for; longer than the whole retry schedule
	Take     bool          // after Gap, go on without it (each event carries the whole state) instead of giving up with ErrGap
	Now      func() time.Time
}

// Inbox is what a consumer remembers of the events that it applied: per source and key the last sequence, and the numbers that
// were jumped over. It changes in the transaction of the effect, so that each event is applied once.
type Inbox struct {
	db  *DB
	cfg InboxConfig
}

// NewInbox gives the inbox of a consumer in db.
func NewInbox(db *DB, cfg InboxConfig) *Inbox { return &Inbox{db: db, cfg: cfg} }

// Effect is what a consumer does with an event. late says that the event was left out earlier and that newer ones of its key have
// been applied since: a projection of whole states must not go back to it.
type Effect func(ctx context.Context, tx *Tx, late bool) error

// Step is an effect too large for one transaction. It is called again, in the next one, until it is done.
type Step func(ctx context.Context, tx *Tx, late bool) (done bool, err error)

// Begin remembers whether the consumer's stream was complete when the consumer was made. Where it was not, the first event of each
// key is taken as it is; otherwise a key begins at 1. The first word stands.
func (in *Inbox) Begin(ctx context.Context, complete bool) error {
	return in.db.Atomically(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, tx.dialect.InsertIgnore()+" inbox_origin (consumer, complete) VALUES (?, ?)", in.cfg.Consumer, complete)
		return err
	})
}

// Apply stores effect together with e's place in the inbox. A repeat is nil without an effect. The error is ErrEarly for an event
// whose predecessor is missing, ErrGap if that stays so.
func (in *Inbox) Apply(ctx context.Context, e envelope.Envelope, effect Effect) error {
	return in.ApplyInSteps(ctx, e, func(ctx context.Context, tx *Tx, late bool) (bool, error) {
		return true, effect(ctx, tx, late)
	})
}

// ApplyInSteps is Apply for an effect of several transactions. The inbox advances with the last, so that a crash in between
// repeats the steps: each must find out by itself what is left.
//
// The error is ErrUnfinished where ctx's time was up behind at least one step.
func (in *Inbox) ApplyInSteps(ctx context.Context, e envelope.Envelope, step Step) error {
	for steps := 0; ; steps++ {
		var (
			done bool
			put  error // why e is put back; unlike an error, it lets the transaction commit
		)
		err := in.db.Atomically(ctx, func(ctx context.Context, tx *Tx) (err error) {
			done, put, err = in.admit(ctx, tx, e, step)
			return err
		})
		if steps > 0 && errors.Is(err, context.DeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return ErrUnfinished // without its cause: that would read like an attempt that came to nothing
		}
		if err != nil {
			return err
		}
		if done || put != nil {
			return put
		}
	}
}

func (in *Inbox) admit(ctx context.Context, tx *Tx, e envelope.Envelope, step Step) (done bool, put, err error) {
	if e.Sequence == 0 {
		done, err = in.admitUnnumbered(ctx, tx, e, step)
		return done, nil, err
	}
	p := placeOf(in.cfg.Consumer, e)
	at, err := p.lock(ctx, tx, e.Sequence, in.cfg.Now())
	if err != nil {
		return false, nil, err
	}
	switch {
	case e.Sequence <= at.sequence:
		done, err = in.admitOld(ctx, tx, p, e.Sequence, step)
		return done, nil, err
	case e.Sequence > at.sequence+1:
		if put, err = in.wait(ctx, tx, p, at, e.Sequence); put != nil || err != nil {
			return false, put, err
		}
	}
	if done, err = step(ctx, tx, false); err != nil || !done {
		return false, nil, err
	}
	if e.Sequence > at.sequence+1 {
		if err := p.leaveOut(ctx, tx, at.sequence+1, e.Sequence-1); err != nil {
			return false, nil, err
		}
	}
	return true, nil, p.advance(ctx, tx, at.sequence, e.Sequence, 1, in.cfg.Now())
}

// admitOld applies an event that was jumped over, and passes over a repeat.
func (in *Inbox) admitOld(ctx context.Context, tx *Tx, p place, sequence int64, step Step) (done bool, err error) {
	out, err := p.leftOut(ctx, tx, sequence)
	if err != nil || out == nil {
		return true, err
	}
	if done, err = step(ctx, tx, true); err != nil || !done {
		return false, err
	}
	if err := p.takeIn(ctx, tx, *out, sequence); err != nil {
		return false, err
	}
	return true, p.count(ctx, tx)
}

// wait answers ErrEarly, or ErrGap once the gap has stayed for too long; nil where the consumer then goes on without the
// missing ones.
func (in *Inbox) wait(ctx context.Context, tx *Tx, p place, at mark, sequence int64) (put, err error) {
	gone, err := p.gone(ctx, tx, at, in.cfg.Now(), in.cfg.Gap)
	switch {
	case err != nil:
		return nil, err
	case !gone:
		return at.early(sequence), nil
	case !in.cfg.Take:
		return ErrGap, nil
	}
	return nil, nil
}

// admitUnnumbered tells events without a sequence apart by their ID.
func (in *Inbox) admitUnnumbered(ctx context.Context, tx *Tx, e envelope.Envelope, step Step) (done bool, err error) {
	seen, err := unnumberedOf(in.cfg.Consumer, e).seen(ctx, tx)
	if err != nil || seen {
		return true, err
	}
	if done, err = step(ctx, tx, false); err != nil || !done {
		return false, err
	}
	return true, unnumberedOf(in.cfg.Consumer, e).see(ctx, tx, in.cfg.Now())
}

// unnumbered is the place of an event without a sequence.
type unnumbered struct {
	consumer, source string
	id               uuid.UUID
}

func unnumberedOf(consumer string, e envelope.Envelope) unnumbered {
	return unnumbered{consumer, fit(e.Source), envelope.UUID(e.Source, e.ID)}
}

func (u unnumbered) seen(ctx context.Context, tx *Tx) (bool, error) {
	var one int
	err := tx.QueryRow(ctx, "SELECT 1 FROM inbox_seen WHERE consumer = ? AND source = ? AND event_id = ?"+tx.dialect.ForUpdate(),
		u.consumer, u.source, u.id[:]).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the inbox: %w", err)
	}
	return true, nil
}

func (u unnumbered) see(ctx context.Context, tx *Tx, now time.Time) error {
	_, err := tx.Exec(ctx, "INSERT INTO inbox_seen (consumer, source, event_id, seen_at) VALUES (?, ?, ?, ?)",
		u.consumer, u.source, u.id[:], Micros(now))
	if err != nil {
		return fmt.Errorf("advance the inbox: %w", err)
	}
	return nil
}
