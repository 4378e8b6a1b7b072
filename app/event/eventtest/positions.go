package eventtest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/command"
	"github.com/millrace/millrace/app/event/query"
)

// patience is how long what happens beside each other may take before the test has failed.
const patience = 45 * time.Second

// readerMissesNothing lets recorders, sequencers and a reader run beside each other. The reader goes by the last position that it
// saw, and must in the end have seen every event: none became visible behind it.
func readerMissesNothing(t *testing.T, b Bench) {
	const recorders, each, sequencers = 12, 40, 3
	h := command.NewRecordEventHandler(b.Store, now)
	var recording atomic.Int64
	recording.Store(recorders)
	var seen []event.Record
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	errs := atOnce(recorders+sequencers+1, func(i int) error {
		switch {
		case i < recorders:
			defer recording.Add(-1)
			return recordMany(ctx, h, each)
		case i < recorders+sequencers:
			return assignWhile(ctx, b, func() bool { return recording.Load() > 0 })
		}
		var err error
		seen, err = follow(ctx, b, recorders*each)
		return err
	})
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, upTo(recorders*each), positions(seen))
	require.Len(t, unique(seen), recorders*each)
}

func recordMany(ctx context.Context, h *command.RecordEventHandler, n int) error {
	key := uuid.New()
	for i := range n {
		if err := h.Handle(ctx, command.RecordEvent{Message: order(key, i+1)}); err != nil {
			return err
		}
	}
	return nil
}

// assignWhile gives positions as long as somebody records, and until none waits any more.
func assignWhile(ctx context.Context, b Bench, recording func() bool) error {
	h := command.NewAssignPositionsHandler(b.Store, now)
	for {
		last := !recording()
		more, err := h.Handle(ctx)
		if err != nil {
			return err
		}
		waiting, err := b.Store.Unpositioned(ctx)
		if err != nil {
			return err
		}
		if last && !more && !waiting {
			return nil
		}
	}
}

// follow reads pages of 7, each behind the one before, until it has n events. It gives up where a page begins behind a gap.
func follow(ctx context.Context, b Bench, n int) (seen []event.Record, err error) {
	behind := int64(0)
	for len(seen) < n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		events, _, err := b.Store.Events(ctx, query.EventFilter{}, query.Page{Behind: behind, Ascending: true, Limit: 7})
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if e.Position != behind+1 {
				return nil, errors.New("a position became visible before a smaller one")
			}
			behind = e.Position
			seen = append(seen, e)
		}
	}
	return seen, nil
}

func unique(events []event.Record) map[uuid.UUID]bool {
	ids := map[uuid.UUID]bool{}
	for _, e := range events {
		ids[e.ID] = true
	}
	return ids
}

func positionsInOrder(t *testing.T, b Bench) {
	const n = 1203 // three batches, the last not full
	var want []string
	require.NoError(t, b.Store.Atomically(t.Context(), func(ctx context.Context, tx command.Tx) error {
		want = want[:0]
		key := uuid.New()
		for i := range n {
			m := order(key, i+1)
			want = append(want, m.ID)
			if err := tx.Record(ctx, event.NewRecord(m, begin)); err != nil {
				return err
			}
			if i%100 == 50 { // a repeat draws a row number and leaves a hole in them
				if err := tx.Record(ctx, event.NewRecord(m, begin)); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	h := command.NewAssignPositionsHandler(b.Store, now)
	var full []bool
	for range 3 {
		more, err := h.Handle(t.Context())
		require.NoError(t, err)
		full = append(full, more)
	}
	require.Equal(t, []bool{true, true, false}, full)
	events := history(t, b)
	require.Equal(t, upTo(n), positions(events))
	require.Equal(t, want, idsOf(events))
}

func undonePositions(t *testing.T, b Bench) {
	key := uuid.New()
	record(t, b, order(key, 1), order(key, 2))
	refused := errors.New("refused")
	err := b.Store.Atomically(t.Context(), func(ctx context.Context, tx command.Tx) error {
		n, err := tx.AssignPositions(ctx, 10, begin)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		return refused
	})
	require.ErrorIs(t, err, refused)
	require.Empty(t, history(t, b))
	record(t, b, order(key, 3))
	assign(t, b)
	require.Equal(t, upTo(3), positions(history(t, b)))
}

func unseenBeforePositioned(t *testing.T, b Bench) {
	m := order(uuid.New(), 1)
	record(t, b, m)
	require.Empty(t, history(t, b))
	newest, _, err := b.Store.Events(t.Context(), query.EventFilter{}, query.Page{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, newest)
	_, err = b.Store.Event(t.Context(), uuid.MustParse(m.ID))
	require.ErrorIs(t, err, event.ErrNotFound)
	assign(t, b)
	require.Len(t, history(t, b), 1)
}

// noLockOut records the same events from several sides while positions are given: redeliveries meet rows that are being changed.
func noLockOut(t *testing.T, b Bench) {
	const events, sides = 60, 4
	messages := make([]event.Message, events)
	for i := range messages {
		messages[i] = order(uuid.New(), 1)
	}
	h := command.NewRecordEventHandler(b.Store, now)
	var recording atomic.Int64
	recording.Store(sides)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	errs := atOnce(sides+2, func(side int) error {
		if side >= sides {
			return assignWhile(ctx, b, func() bool { return recording.Load() > 0 })
		}
		defer recording.Add(-1)
		for i := range messages {
			m := messages[(i*(side*2+1)+side)%events]
			if err := h.Handle(ctx, command.RecordEvent{Message: m}); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, errors.Join(errs...))
	record(t, b, messages...)
	assign(t, b)
	require.Equal(t, upTo(events), positions(history(t, b)))
}

// orderOfKey records many keys at once, each in order, as the broker delivers them.
func orderOfKey(t *testing.T, b Bench) {
	const keys, each = 10, 15
	h := command.NewRecordEventHandler(b.Store, now)
	var recording atomic.Int64
	recording.Store(keys)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	errs := atOnce(keys+1, func(i int) error {
		if i == keys {
			return assignWhile(ctx, b, func() bool { return recording.Load() > 0 })
		}
		defer recording.Add(-1)
		return recordMany(ctx, h, each)
	})
	require.NoError(t, errors.Join(errs...))
	last := map[string]int64{}
	for _, e := range history(t, b) {
		require.Equal(t, last[e.Key]+1, e.Sequence)
		last[e.Key] = e.Sequence
	}
	require.Len(t, last, keys)
}

// lateFirst is what two replicas make of one key: they record its events in the wrong order.
func lateFirst(t *testing.T, b Bench) {
	key := uuid.New()
	first, second, third := order(key, 1), order(key, 2), order(key, 3)
	record(t, b, third, second)
	assign(t, b)
	require.Empty(t, history(t, b))
	record(t, b, first)
	assign(t, b)
	require.Equal(t, []string{first.ID, second.ID, third.ID}, idsOf(history(t, b)))

	orphan := order(uuid.New(), 7)
	record(t, b, orphan)
	assign(t, b)
	require.Len(t, history(t, b), 3)
	later := command.NewAssignPositionsHandler(b.Store, func() time.Time { return begin.Add(time.Minute) })
	_, err := later.Handle(t.Context())
	require.NoError(t, err)
	require.Equal(t, upTo(4), positions(history(t, b)), "a predecessor that never comes is not waited for")
}

func lateFirstAlone(t *testing.T, b Bench) {
	key := uuid.New()
	require.NoError(t, b.Store.Atomically(t.Context(), func(ctx context.Context, tx command.Tx) error {
		for i := range 700 { // more than one batch
			if err := tx.Record(ctx, event.NewRecord(order(key, i+2), begin)); err != nil {
				return err
			}
		}
		return nil
	}))
	record(t, b, order(uuid.New(), 1))
	assign(t, b)
	require.Len(t, history(t, b), 1)
	record(t, b, order(key, 1))
	assign(t, b)
	require.Equal(t, upTo(702), positions(history(t, b)))
}
