package ordertest

import (
	"strings"
	"testing"
	"time"

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
		page, err := b.list.Handle(b.request, query.Orders{Caller: b.buyer, Behind: before, Limit: 3})
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

// heavyPages reads orders of some 14 KB.
func heavyPages(t *testing.T, b *bench) {
	draft := b.draft()
	draft.Note = strings.Repeat("n", order.MaxNote)
	draft.Items = nil
	for range order.MaxItems {
		draft.Items = append(draft.Items, order.Item{SKU: strings.Repeat("s", 64), Quantity: 1, UnitPrice: 1})
	}
	var want []uuid.UUID
	for range 160 {
		o, err := b.place.Handle(b.request, draft)
		require.NoError(t, err)
		want = append([]uuid.UUID{o.ID}, want...)
	}
	for _, caller := range []principal.Principal{b.buyer, b.admin} {
		var got []uuid.UUID
		q, pages := query.Orders{Caller: caller, Limit: 200}, 0
		for more := true; more; pages++ {
			page, err := b.list.Handle(b.request, q)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Orders), 1<<20/13_000, "a page ends at its bytes")
			got = append(got, ids(page.Orders)...)
			q.Behind, more = page.Next, page.Next != nil
		}
		require.Equal(t, want, got)
		require.Equal(t, 3, pages)
	}
}

// placedAt places an order at a time, with an ID that was drawn so much earlier.
func (b *bench) placedAt(t *testing.T, at time.Time, drawn time.Duration) order.Order {
	t.Helper()
	id := newID()
	ms := at.Add(-drawn).UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	place := command.NewPlaceOrderHandler(b.Store, func() uuid.UUID { return id }, func() time.Time { return at })
	o, err := place.Handle(b.request, b.draft())
	require.NoError(t, err)
	return o
}

func timed(t *testing.T, b *bench) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const us = time.Microsecond
	early := b.placedAt(t, noon.Add(-24*time.Hour), 0)
	before := b.placedAt(t, noon.Add(-us), 40*time.Second)
	exact := b.placedAt(t, noon, 20*time.Second)
	behind := b.placedAt(t, noon.Add(us), -20*time.Second) // its ID's clock was ahead
	late := b.placedAt(t, noon.Add(24*time.Hour), 0)
	_, err := b.cancelled(exact.ID, nil)
	require.NoError(t, err)

	for name, test := range map[string]struct {
		query query.Orders
		want  []order.Order
	}{
		"whenever":                     {query.Orders{}, []order.Order{late, behind, exact, before, early}},
		"from noon, which is included": {query.Orders{After: new(noon)}, []order.Order{late, behind, exact}},
		"from a bit after noon":        {query.Orders{After: new(noon.Add(1))}, []order.Order{late, behind}},
		"until noon, which is not":     {query.Orders{Before: new(noon)}, []order.Order{before, early}},
		"until a bit after noon":       {query.Orders{Before: new(noon.Add(1))}, []order.Order{exact, before, early}},
		"between":                      {query.Orders{After: new(noon.Add(-us)), Before: new(noon.Add(us))}, []order.Order{exact, before}},
		"of a status":                  {query.Orders{After: new(noon), Status: order.Placed}, []order.Order{late, behind}},
		"in another zone":              {query.Orders{Before: new(noon.In(time.FixedZone("", 3600)))}, []order.Order{before, early}},
		"of no time":                   {query.Orders{After: new(noon), Before: new(noon)}, nil},
		"before all times":             {query.Orders{Before: new(time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC))}, nil},
		"before the zero time":         {query.Orders{Before: new(time.Time{})}, nil},
		"after all times":              {query.Orders{After: new(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))}, nil},
		"since long ago":               {query.Orders{After: new(noon.AddDate(-2000, 0, 0)), Before: new(noon)}, []order.Order{before, early}},
	} {
		for _, caller := range []principal.Principal{b.buyer, b.admin} {
			test.query.Caller, test.query.Limit = caller, 10
			page, err := b.list.Handle(b.request, test.query)
			require.NoError(t, err, name)
			require.ElementsMatch(t, ids(test.want), ids(page.Orders), name)
		}
	}
	first, err := b.list.Handle(b.request, query.Orders{Caller: b.buyer, After: new(noon), Limit: 2})
	require.NoError(t, err)
	require.Len(t, first.Orders, 2)
	second, err := b.list.Handle(b.request, query.Orders{Caller: b.buyer, After: new(noon), Limit: 2, Behind: first.Next})
	require.NoError(t, err)
	require.ElementsMatch(t, ids([]order.Order{late, behind, exact}), ids(append(first.Orders, second.Orders...)))
}
