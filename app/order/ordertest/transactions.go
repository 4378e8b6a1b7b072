package ordertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/app/order/query"
)

// crowd has 64 callers at one order: all change it, eight of them cancel it in between. Whatever was acknowledged must have its
// version and its event, and no two the same.
func crowd(t *testing.T, b *bench) {
	o := b.placed(t)
	var (
		callers   sync.WaitGroup
		updates   atomic.Int64
		refused   atomic.Int64
		cancelled atomic.Int64
		versions  sync.Map
	)
	for i := range 64 {
		callers.Go(func() {
			if i%8 == 7 {
				answer, err := b.cancel.Handle(b.request, command.CancelOrder{Caller: b.buyer, ID: o.ID, Reason: fmt.Sprint(i)})
				if err == nil && answer.Status == order.Cancelled {
					cancelled.Add(1)
				}
				return
			}
			note := fmt.Sprint("note ", i)
			answer, err := b.update.Handle(b.request, command.UpdateOrder{Caller: b.buyer, ID: o.ID, Change: order.Change{Note: &note}})
			if errors.Is(err, order.ErrCancelled) {
				refused.Add(1)
				return
			}
			if err == nil && answer.Note == note {
				updates.Add(1)
				versions.Store(answer.Version, note)
			}
		})
	}
	callers.Wait()

	require.EqualValues(t, 8, cancelled.Load(), "every cancel is answered with the cancelled order")
	require.EqualValues(t, 56, updates.Load()+refused.Load(), "every update is applied or refused")
	final := b.stored(t, o.ID)
	require.EqualValues(t, 1+updates.Load()+1, final.Version, "placed, each update, cancelled once")
	require.Equal(t, final.Version, final.Sequence)
	events := b.published(t, o.ID)
	require.Len(t, events, int(final.Sequence))
	require.Equal(t, contract.TypeOrderCancelled, events[len(events)-1].Type)
	for version := int64(2); version < final.Version; version++ {
		note, ok := versions.Load(version)
		require.True(t, ok, "version %d was given to nobody", version)
		if version == final.Version-1 {
			require.Equal(t, note, final.Note, "the last update is what stays")
		}
	}
}

func undone(t *testing.T, b *bench) {
	kept := b.placed(t)
	refusal := errors.New("refused at the end")
	o, placed, err := order.Place(newID(), order.Draft{UserID: b.buyer.UserID, Items: items(), Currency: "EUR"}, b.at)
	require.NoError(t, err)
	err = b.Store.Atomically(b.request, func(ctx context.Context, tx command.Tx) error {
		if _, err := tx.Customer(ctx, o.UserID); err != nil {
			return err
		}
		if err := tx.Insert(ctx, o); err != nil {
			return err
		}
		if err := tx.Publish(ctx, o.Sequence, placed); err != nil {
			return err
		}
		return refusal
	})
	require.ErrorIs(t, err, refusal)
	_, err = b.Store.ByID(b.request, o.ID)
	require.ErrorIs(t, err, order.ErrNotFound)
	require.Empty(t, b.published(t, o.ID))
	b.requireStored(t, kept)
}

// repeating is a store whose every closure runs once for nothing, as after a deadlock, before it counts.
type repeating struct{ Store }

var errDeadlock = errors.New("a deadlock, as far as the closure can tell")

func (r repeating) Atomically(ctx context.Context, fn func(ctx context.Context, tx command.Tx) error) error {
	err := r.Store.Atomically(ctx, func(ctx context.Context, tx command.Tx) error {
		if err := fn(ctx, tx); err != nil {
			return err
		}
		return errDeadlock
	})
	if !errors.Is(err, errDeadlock) {
		return err
	}
	return r.Store.Atomically(ctx, fn)
}

func (r repeating) ApplyInSteps(
	ctx context.Context, e envelope.Envelope, step func(ctx context.Context, tx command.Tx, late bool) (bool, error),
) error {
	err := r.Store.ApplyInSteps(ctx, e, func(ctx context.Context, tx command.Tx, late bool) (bool, error) {
		if _, err := step(ctx, tx, late); err != nil {
			return false, err
		}
		return false, errDeadlock
	})
	if !errors.Is(err, errDeadlock) {
		return err
	}
	return r.Store.ApplyInSteps(ctx, e, step)
}

func twice(t *testing.T, b *bench) {
	b.on(repeating{b.Store}, repeating{b.Store})
	o := b.placed(t)
	note := "changed"
	o, err := b.update.Handle(b.request, command.UpdateOrder{Caller: b.buyer, ID: o.ID, Change: order.Change{Note: &note}})
	require.NoError(t, err)
	require.EqualValues(t, 2, o.Version)
	gone := b.placed(t)
	require.NoError(t, b.delete.Handle(b.request, command.DeleteOrder{Caller: b.buyer, ID: gone.ID}))
	require.NoError(t, b.forget.Handle(b.request, b.userDeleted(1)))

	o = b.stored(t, o.ID)
	require.Equal(t, order.Cancelled, o.Status)
	require.EqualValues(t, 3, o.Version)
	require.Equal(t, []string{contract.TypeOrderPlaced, contract.TypeOrderUpdated, contract.TypeOrderCancelled}, b.publishedTypes(t, o.ID))
	require.Len(t, b.published(t, gone.ID), 3)
}

func gaveUp(t *testing.T, b *bench) {
	o := b.placed(t)
	ctx, cancel := context.WithCancel(b.request)
	cancel()
	_, err := b.place.Handle(ctx, b.draft())
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.cancel.Handle(ctx, command.CancelOrder{Caller: b.buyer, ID: o.ID})
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.byID.Handle(ctx, query.OrderByID{Caller: b.buyer, ID: o.ID})
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.list.Handle(ctx, query.Orders{Caller: b.buyer, Limit: 10})
	require.ErrorIs(t, err, context.Canceled)
	b.requireStored(t, o)
	require.Len(t, b.Published(t), 1)
}
