package ordertest

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/app/order/query"
	"github.com/millrace/millrace/app/principal"
)

func ids(orders []order.Order) (ids []uuid.UUID) {
	for _, o := range orders {
		ids = append(ids, o.ID)
	}
	return ids
}

func filtered(t *testing.T, b *bench) {
	other := principal.Principal{UserID: newID(), Role: principal.RoleUser}
	first, second := b.placed(t), b.placed(t)
	_, err := b.cancel.Handle(b.request, command.CancelOrder{Caller: b.buyer, ID: first.ID})
	require.NoError(t, err)
	draft := b.draft()
	draft.Caller = other
	foreign, err := b.place.Handle(b.request, draft)
	require.NoError(t, err)
	third := b.placed(t)

	buyer, stranger := uuid.UUID(b.buyer.UserID), uuid.UUID(other.UserID)
	for name, test := range map[string]struct {
		query query.Orders
		want  []uuid.UUID
	}{
		"own, newest first":       {query.Orders{Caller: b.buyer}, []uuid.UUID{third.ID, second.ID, first.ID}},
		"own by name":             {query.Orders{Caller: b.buyer, UserID: &buyer}, []uuid.UUID{third.ID, second.ID, first.ID}},
		"own placed":              {query.Orders{Caller: b.buyer, Status: order.Placed}, []uuid.UUID{third.ID, second.ID}},
		"own cancelled":           {query.Orders{Caller: b.buyer, Status: order.Cancelled}, []uuid.UUID{first.ID}},
		"an admin's, everybody's": {query.Orders{Caller: b.admin}, []uuid.UUID{third.ID, foreign.ID, second.ID, first.ID}},
		"an admin's, of one user": {query.Orders{Caller: b.admin, UserID: &stranger}, []uuid.UUID{foreign.ID}},
		"an admin's, placed":      {query.Orders{Caller: b.admin, Status: order.Placed}, []uuid.UUID{third.ID, foreign.ID, second.ID}},
	} {
		test.query.Limit = 10
		page, err := b.list.Handle(b.request, test.query)
		require.NoError(t, err, name)
		require.Equal(t, test.want, ids(page.Orders), name)
		require.Nil(t, page.Next, name)
	}
	_, err = b.list.Handle(b.request, query.Orders{Caller: b.buyer, UserID: &stranger, Limit: 10})
	require.ErrorIs(t, err, order.ErrForeignUser)
}

// paged reads three pages while an order of the first is deleted, one of the last cancelled, and a new one placed.
func paged(t *testing.T, b *bench) {
	var want []uuid.UUID
	for range 7 {
		want = append([]uuid.UUID{b.placed(t).ID}, want...)
	}
	_, err := b.cancel.Handle(b.request, command.CancelOrder{Caller: b.buyer, ID: want[3]})
	require.NoError(t, err)

	next := func(before *uuid.UUID) query.OrdersPage {
		page, err := b.list.Handle(b.request, query.Orders{Caller: b.buyer, Before: before, Limit: 3})
		require.NoError(t, err)
		return page
	}
	first := next(nil)
	require.Equal(t, want[:3], ids(first.Orders))

	require.NoError(t, b.delete.Handle(b.request, command.DeleteOrder{Caller: b.buyer, ID: want[2]}))
	_, err = b.cancel.Handle(b.request, command.CancelOrder{Caller: b.buyer, ID: want[6]})
	require.NoError(t, err)
	b.placed(t)

	second := next(first.Next)
	require.Equal(t, want[3:6], ids(second.Orders))
	third := next(second.Next)
	require.Equal(t, want[6:], ids(third.Orders))
	require.Nil(t, third.Next)

	full, err := b.list.Handle(b.request, query.Orders{Caller: b.buyer, Limit: 7})
	require.NoError(t, err)
	require.Len(t, full.Orders, 7)
	require.Nil(t, full.Next, "a page that holds the last order names no next one")
}
