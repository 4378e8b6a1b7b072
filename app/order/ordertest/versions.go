package ordertest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/app/version"
)

func (b *bench) noted(id uuid.UUID, note string, expected version.Expected) (order.Order, error) {
	return b.update.Handle(b.request, command.UpdateOrder{
		Caller: b.buyer, ID: id, Change: order.Change{Note: &note}, Expected: expected,
	})
}

func (b *bench) cancelled(id uuid.UUID, expected version.Expected) (order.Order, error) {
	return b.cancel.Handle(b.request, command.CancelOrder{Caller: b.buyer, ID: id, Reason: "no need", Expected: expected})
}

func (b *bench) deleted(id uuid.UUID, expected version.Expected) error {
	return b.delete.Handle(b.request, command.DeleteOrder{Caller: b.buyer, ID: id, Expected: expected})
}

func otherVersion(t *testing.T, b *bench) {
	o := b.placed(t)
	for _, expected := range []version.Expected{{}, {0}, {2}, {2, 3}} {
		_, err := b.noted(o.ID, "lost", expected)
		require.ErrorIs(t, err, version.ErrMoved)
		_, err = b.cancelled(o.ID, expected)
		require.ErrorIs(t, err, version.ErrMoved)
		require.ErrorIs(t, b.deleted(o.ID, expected), version.ErrMoved)
	}
	b.requireStored(t, o)
	require.Len(t, b.published(t, o.ID), 1)

	o, err := b.noted(o.ID, "kept", version.Expected{7, 1})
	require.NoError(t, err)
	_, err = b.noted(o.ID, "kept", version.Expected{1})
	require.ErrorIs(t, err, version.ErrMoved, "also where the change would be none")
	b.requireStored(t, o)
	_, err = b.cancelled(o.ID, version.Expected{2})
	require.NoError(t, err)
	require.NoError(t, b.deleted(o.ID, version.Expected{3}))
	require.ErrorIs(t, b.deleted(o.ID, version.Expected{3}), order.ErrNotFound, "what is gone has no version")
}

// cancelledVersion is about a cancelled order: 412 goes before 409, and who asks again for their own cancellation gets its answer.
func cancelledVersion(t *testing.T, b *bench) {
	o := b.placed(t)
	o, err := b.noted(o.ID, "changed", nil)
	require.NoError(t, err)
	o, err = b.cancelled(o.ID, version.Expected{2})
	require.NoError(t, err)

	for _, expected := range []version.Expected{nil, {2}, {3}} {
		again, err := b.cancelled(o.ID, expected)
		require.NoError(t, err)
		require.Equal(t, o, again)
	}
	_, err = b.cancel.Handle(b.request, command.CancelOrder{
		Caller: b.buyer, ID: o.ID, Reason: "another", Expected: version.Expected{2},
	})
	require.ErrorIs(t, err, version.ErrMoved, "this is not the request that cancelled it")
	for _, expected := range []version.Expected{{}, {1}, {4}} {
		_, err := b.cancelled(o.ID, expected)
		require.ErrorIs(t, err, version.ErrMoved)
	}
	_, err = b.noted(o.ID, "late", version.Expected{2})
	require.ErrorIs(t, err, version.ErrMoved)
	_, err = b.noted(o.ID, "late", version.Expected{3})
	require.ErrorIs(t, err, order.ErrCancelled)
	b.requireStored(t, o)
	require.Len(t, b.published(t, o.ID), 3)
}

// carefulCrowd has 64 callers at one order who all saw version 1: one changes or cancels it, all others are told that it moved.
func carefulCrowd(t *testing.T, b *bench) {
	o := b.placed(t)
	var (
		callers    sync.WaitGroup
		won, moved atomic.Int64
		winner     atomic.Value
	)
	for i := range 64 {
		callers.Go(func() {
			var err error
			note := fmt.Sprint("note ", i)
			if i%2 == 0 {
				_, err = b.noted(o.ID, note, version.Expected{1})
			} else {
				note, err = "", b.deleted(o.ID, version.Expected{1})
			}
			switch {
			case err == nil:
				won.Add(1)
				winner.Store(note)
			case errors.Is(err, version.ErrMoved), errors.Is(err, order.ErrNotFound): // once it is deleted
				moved.Add(1)
			}
		})
	}
	callers.Wait()

	require.EqualValues(t, 1, won.Load())
	require.EqualValues(t, 63, moved.Load())
	if note := winner.Load(); note != "" {
		final := b.stored(t, o.ID)
		require.Equal(t, note, final.Note)
		require.EqualValues(t, 2, final.Version)
		require.Equal(t, []string{contract.TypeOrderPlaced, contract.TypeOrderUpdated}, b.publishedTypes(t, o.ID))
		return
	}
	require.Equal(t, []string{contract.TypeOrderPlaced, contract.TypeOrderCancelled, contract.TypeOrderDeleted}, b.publishedTypes(t, o.ID))
}

// stubborn has 16 callers who read, change and, told that the order moved, read again: each change is made of the one before it, so
// that none is lost.
func stubborn(t *testing.T, b *bench) {
	const callers, changes = 16, 4
	o, err := b.noted(b.placed(t).ID, "", nil)
	require.NoError(t, err)
	first := o.Version
	var crowd sync.WaitGroup
	for range callers {
		crowd.Go(func() {
			for made := 0; made < changes; {
				seen, err := b.Store.ByID(b.request, o.ID)
				if err == nil {
					_, err = b.noted(o.ID, seen.Note+"x", version.Expected{seen.Version})
				}
				if err != nil && !errors.Is(err, version.ErrMoved) {
					t.Errorf("change an order: %v", err)
					return
				}
				if err == nil {
					made++
				}
			}
		})
	}
	crowd.Wait()
	final := b.stored(t, o.ID)
	require.Len(t, final.Note, callers*changes)
	require.EqualValues(t, first+callers*changes, final.Version)
	require.Len(t, b.published(t, o.ID), int(final.Sequence))
}
