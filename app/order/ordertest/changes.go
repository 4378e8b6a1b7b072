package ordertest

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/app/order/query"
	"github.com/millrace/millrace/app/principal"
)

func placedIsReadBack(t *testing.T, b *bench) {
	o := b.placed(t)
	require.Equal(t, uuid.UUID(b.buyer.UserID), o.UserID)
	require.Equal(t, order.Placed, o.Status)
	require.EqualValues(t, 2500, o.Total)
	require.EqualValues(t, 1, o.Version)
	b.requireStored(t, o)

	events := b.published(t, o.ID)
	require.Len(t, events, 1)
	require.Equal(t, contract.TypeOrderPlaced, events[0].Type)
	require.Equal(t, contract.SourceOrder, events[0].Source)
	require.Equal(t, requestID, events[0].CorrelationID)
	placed, err := contract.Decode[contract.OrderPlaced](events[0])
	require.NoError(t, err)
	require.Equal(t, o.Total, placed.Total)
	require.True(t, o.CreatedAt.Equal(placed.CreatedAt))
	require.NotContains(t, string(events[0].Data), "ring twice", "a note is personal: it cannot be erased from a stream")
}

func largestOrder(t *testing.T, b *bench) {
	c := b.draft()
	c.Note = strings.Repeat("\U0001F4DA", order.MaxNote)
	c.Items = nil
	for range order.MaxItems {
		c.Items = append(c.Items, order.Item{SKU: strings.Repeat("x", order.MaxSKU), Quantity: math.MaxInt32, UnitPrice: math.MaxInt32 / 100})
	}
	o, err := b.place.Handle(b.request, c)
	require.NoError(t, err)
	b.requireStored(t, o)

	o, err = b.cancel.Handle(b.request, command.CancelOrder{Caller: b.buyer, ID: o.ID, Reason: strings.Repeat("ß", order.MaxReason)})
	require.NoError(t, err)
	b.requireStored(t, o)
}

func orderForAnother(t *testing.T, b *bench) {
	other := newID()
	c := b.draft()
	c.UserID = &other
	_, err := b.place.Handle(b.request, c)
	require.ErrorIs(t, err, order.ErrForeignUser)
	require.Empty(t, b.Published(t))

	c.Caller = b.admin
	o, err := b.place.Handle(b.request, c)
	require.NoError(t, err)
	require.Equal(t, other, o.UserID)

	own := uuid.UUID(b.buyer.UserID)
	c.Caller, c.UserID = b.buyer, &own
	_, err = b.place.Handle(b.request, c)
	require.NoError(t, err)
}

func brokenOrder(t *testing.T, b *bench) {
	c := b.draft()
	c.Currency, c.Items[1].Quantity = "eur", 0
	_, err := b.place.Handle(b.request, c)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	require.Empty(t, b.Published(t))
	orders, _, err := b.Store.List(b.request, query.Filter{}, 10)
	require.NoError(t, err)
	require.Empty(t, orders)
}

func changed(t *testing.T, b *bench) {
	o := b.placed(t)
	b.at = b.at.Add(time.Minute)
	note := ""
	changed, err := b.update.Handle(b.request, command.UpdateOrder{Caller: b.buyer, ID: o.ID, Change: order.Change{
		Items: []order.Item{{SKU: "book", Quantity: 3, UnitPrice: 1250}}, Note: &note,
	}})
	require.NoError(t, err)
	require.EqualValues(t, 3750, changed.Total)
	require.EqualValues(t, 2, changed.Version)
	require.True(t, changed.CreatedAt.Equal(o.CreatedAt))
	require.True(t, changed.UpdatedAt.After(o.UpdatedAt))
	b.requireStored(t, changed)
	require.Equal(t, []string{contract.TypeOrderPlaced, contract.TypeOrderUpdated}, b.publishedTypes(t, o.ID))

	other := "by the admin"
	changed, err = b.update.Handle(b.request, command.UpdateOrder{Caller: b.admin, ID: o.ID, Change: order.Change{Note: &other}})
	require.NoError(t, err)
	require.EqualValues(t, 3750, changed.Total, "what is absent stays")
	b.requireStored(t, changed)
}

func unchanged(t *testing.T, b *bench) {
	o := b.placed(t)
	for _, c := range []order.Change{{}, {Items: items(), Note: &o.Note}} {
		same, err := b.update.Handle(b.request, command.UpdateOrder{Caller: b.buyer, ID: o.ID, Change: c})
		require.NoError(t, err)
		require.Equal(t, o, same)
	}
	b.requireStored(t, o)
	require.Len(t, b.published(t, o.ID), 1)
}

func cancelledStays(t *testing.T, b *bench) {
	o := b.placed(t)
	o, err := b.cancel.Handle(b.request, command.CancelOrder{Caller: b.buyer, ID: o.ID})
	require.NoError(t, err)
	note := "too late"
	_, err = b.update.Handle(b.request, command.UpdateOrder{Caller: b.admin, ID: o.ID, Change: order.Change{Note: &note}})
	require.ErrorIs(t, err, order.ErrCancelled)
	b.requireStored(t, o)
	require.Len(t, b.published(t, o.ID), 2)
}

func cancelledTwice(t *testing.T, b *bench) {
	o := b.placed(t)
	b.at = b.at.Add(time.Minute)
	first, err := b.cancel.Handle(b.request, command.CancelOrder{Caller: b.buyer, ID: o.ID, Reason: "found it cheaper"})
	require.NoError(t, err)
	require.Equal(t, order.Cancelled, first.Status)
	require.Equal(t, "found it cheaper", first.CancelReason)
	require.True(t, first.CancelledAt.Equal(b.at))
	b.requireStored(t, first)

	b.at = b.at.Add(time.Minute)
	second, err := b.cancel.Handle(b.request, command.CancelOrder{Caller: b.admin, ID: o.ID, Reason: "another"})
	require.NoError(t, err)
	require.Equal(t, first, second)
	b.requireStored(t, first)

	events := b.published(t, o.ID)
	require.Len(t, events, 2)
	cancelled, err := contract.Decode[contract.OrderCancelled](events[1])
	require.NoError(t, err)
	require.Equal(t, contract.ReasonCustomer, cancelled.Reason, "what somebody wrote is not published")
	require.NotContains(t, string(events[1].Data), "cheaper")
	require.Equal(t, "cancelled", cancelled.Status)
}

func cancelledByAdmin(t *testing.T, b *bench) {
	cancelled, deleted := b.placed(t), b.placed(t)
	_, err := b.cancel.Handle(b.request, command.CancelOrder{Caller: b.admin, ID: cancelled.ID, Reason: "not to be had"})
	require.NoError(t, err)
	require.NoError(t, b.delete.Handle(b.request, command.DeleteOrder{Caller: b.admin, ID: deleted.ID}))
	for _, o := range []order.Order{cancelled, deleted} {
		event, err := contract.Decode[contract.OrderCancelled](b.published(t, o.ID)[1])
		require.NoError(t, err)
		require.Equal(t, contract.ReasonAdmin, event.Reason)
	}
}

func deleted(t *testing.T, b *bench) {
	o := b.placed(t)
	require.NoError(t, b.delete.Handle(b.request, command.DeleteOrder{Caller: b.buyer, ID: o.ID}))
	_, err := b.byID.Handle(b.request, query.OrderByID{Caller: b.buyer, ID: o.ID})
	require.ErrorIs(t, err, order.ErrNotFound)
	require.Equal(t, []string{contract.TypeOrderPlaced, contract.TypeOrderCancelled, contract.TypeOrderDeleted}, b.publishedTypes(t, o.ID))

	var last contract.OrderDeleted
	require.NoError(t, json.Unmarshal(b.published(t, o.ID)[2].Data, &last))
	require.EqualValues(t, 3, last.Version)
	require.Equal(t, "cancelled", last.Status)

	require.ErrorIs(t, b.delete.Handle(b.request, command.DeleteOrder{Caller: b.buyer, ID: o.ID}), order.ErrNotFound)
	require.Len(t, b.published(t, o.ID), 3)
}

func cancelledIsDeleted(t *testing.T, b *bench) {
	o := b.placed(t)
	_, err := b.cancel.Handle(b.request, command.CancelOrder{Caller: b.buyer, ID: o.ID})
	require.NoError(t, err)
	require.NoError(t, b.delete.Handle(b.request, command.DeleteOrder{Caller: b.admin, ID: o.ID}))
	require.Equal(t, []string{contract.TypeOrderPlaced, contract.TypeOrderCancelled, contract.TypeOrderDeleted}, b.publishedTypes(t, o.ID))
}

func foreign(t *testing.T, b *bench) {
	o := b.placed(t)
	stranger := principal.Principal{UserID: newID(), Role: principal.RoleOperator}
	note := "mine now"
	_, err := b.byID.Handle(b.request, query.OrderByID{Caller: stranger, ID: o.ID})
	require.ErrorIs(t, err, order.ErrNotFound)
	_, err = b.update.Handle(b.request, command.UpdateOrder{Caller: stranger, ID: o.ID, Change: order.Change{Note: &note}})
	require.ErrorIs(t, err, order.ErrNotFound)
	_, err = b.cancel.Handle(b.request, command.CancelOrder{Caller: stranger, ID: o.ID})
	require.ErrorIs(t, err, order.ErrNotFound)
	require.ErrorIs(t, b.delete.Handle(b.request, command.DeleteOrder{Caller: stranger, ID: o.ID}), order.ErrNotFound)
	b.requireStored(t, o)
	require.Len(t, b.published(t, o.ID), 1)
}
