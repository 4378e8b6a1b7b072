// Package ordertest is the suite that each store of orders must pass: what the commands and queries promise, on a real database.
package ordertest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/correlation"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/app/order/query"
	"github.com/millrace/millrace/app/principal"
)

// Store is what a store must implement.
type Store interface {
	command.Store
	command.Inbox
	query.Store
}

// Fixture is a fresh store, and a view of what it is about to publish.
type Fixture struct {
	Store     Store
	Published func(t *testing.T) []envelope.Envelope // in the order in which it was stored
}

// Run runs the suite; open gives each of its tests a store of its own.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	t.Helper()
	tests := []struct {
		name string
		run  func(t *testing.T, b *bench)
	}{
		{"a placed order is read back as it was answered", placedIsReadBack},
		{"the largest order is kept whole", largestOrder},
		{"an order for another needs an admin", orderForAnother},
		{"an order that breaks a rule leaves nothing", brokenOrder},
		{"a change gives one version and one event", changed},
		{"a change of nothing is no change", unchanged},
		{"a cancelled order stays as it is", cancelledStays},
		{"a second cancel gives the same order and no event", cancelledTwice},
		{"an event tells that an admin cancelled", cancelledByAdmin},
		{"a placed order is cancelled, then deleted", deleted},
		{"a cancelled order is only deleted", cancelledIsDeleted},
		{"to others an order does not exist", foreign},
		{"64 who change one order lose nothing", crowd},
		{"a change meant for another version is refused", otherVersion},
		{"a cancelled order answers who cancelled it, and tells others that it moved", cancelledVersion},
		{"of 64 who change the same version one does", carefulCrowd},
		{"changes made of each other are not lost", stubborn},
		{"an error undoes state and event", undone},
		{"a closure that runs twice has one effect", twice},
		{"who gave up stores nothing", gaveUp},
		{"a request that comes again gets its first answer and has no second effect", requestAgain},
		{"a request that failed may come again", requestFailed},
		{"a request whose answer was lost gets it when it comes again", requestLost},
		{"of one request that comes 64 times at once one has an effect", requestCrowd},
		{"a deleted user leaves no answers", requestForgotten},
		{"a list shows what its filters say", filtered},
		{"a list of a span of time has what was placed in it", timed},
		{"pages neither repeat nor hide while orders come and go", paged},
		{"a page ends at its bytes, and the next one goes on", heavyPages},
		{"a repeated event has no further effect", repeated},
		{"an early event waits for its predecessor", early},
		{"an event that means nothing lets the next one in", passedOver},
		{"an older state does not come back", olderState},
		{"the orders of a deleted user are cancelled in steps", forgotten},
		{"a deleted user leaves no notes and no reasons", textless},
		{"a deleted order leaves no note in its answer", noteless},
		{"a crash between the steps leaves no order out", crashedBetween},
		{"an order that its owner deletes meanwhile stops no step", deletedMeanwhile},
		{"a deleted user cannot order, though nobody knew of them", unknownDeleted},
		{"no order is placed past the deletion of its user", raced},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newBench(open(t)))
		})
	}
}

// bench is a store with every use case on it.
type bench struct {
	Fixture

	place   *command.PlaceOrderHandler
	update  *command.UpdateOrderHandler
	cancel  *command.CancelOrderHandler
	delete  *command.DeleteOrderHandler
	record  *command.RecordCustomerHandler
	forget  *command.ForgetCustomerHandler
	pass    *command.PassOverHandler
	byID    *query.OrderByIDHandler
	list    *query.OrdersHandler
	at      time.Time
	admin   principal.Principal
	buyer   principal.Principal
	request context.Context //nolint:containedctx // every test's: it carries the correlation ID of a request
}

const requestID = "request-1"

func newBench(f Fixture) *bench {
	b := &bench{
		Fixture: f,
		at:      time.Date(2026, 3, 1, 12, 0, 0, 123_456_000, time.UTC),
		admin:   principal.Principal{UserID: newID(), Role: principal.RoleAdmin},
		buyer:   principal.Principal{UserID: newID(), Role: principal.RoleUser},
		request: correlation.With(context.Background(), correlation.IDs{Correlation: requestID}),
	}
	b.on(f.Store, f.Store)
	return b
}

// on sets the use cases on a store and an inbox.
func (b *bench) on(store command.Store, inbox command.Inbox) {
	now := func() time.Time { return b.at }
	b.place = command.NewPlaceOrderHandler(store, newID, now)
	b.update = command.NewUpdateOrderHandler(store, now)
	b.cancel = command.NewCancelOrderHandler(store, now)
	b.delete = command.NewDeleteOrderHandler(store, now)
	b.record = command.NewRecordCustomerHandler(inbox)
	b.forget = command.NewForgetCustomerHandler(inbox, now)
	b.pass = command.NewPassOverHandler(inbox)
	b.byID = query.NewOrderByIDHandler(b.Store)
	b.list = query.NewOrdersHandler(b.Store)
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func items() []order.Item {
	return []order.Item{{SKU: "book", Quantity: 2, UnitPrice: 1250}, {SKU: "pen/blue", Quantity: 1, UnitPrice: 0}}
}

func (b *bench) draft() command.PlaceOrder {
	return command.PlaceOrder{Caller: b.buyer, Items: items(), Currency: "EUR", Note: "ring twice\nplease"}
}

func (b *bench) placed(t *testing.T) order.Order {
	t.Helper()
	o, err := b.place.Handle(b.request, b.draft())
	require.NoError(t, err)
	return o
}

func (b *bench) stored(t *testing.T, id uuid.UUID) order.Order {
	t.Helper()
	o, err := b.byID.Handle(b.request, query.OrderByID{Caller: b.admin, ID: id})
	require.NoError(t, err)
	return o
}

// requireStored asks that the store holds o, and nothing else under its ID.
func (b *bench) requireStored(t *testing.T, o order.Order) {
	t.Helper()
	require.Empty(t, cmp.Diff(o, b.stored(t, o.ID)))
}

// published gives the events of one order, and asks that they are numbered without a gap.
func (b *bench) published(t *testing.T, id uuid.UUID) (events []envelope.Envelope) {
	t.Helper()
	for _, e := range b.Published(t) {
		if e.Key == id.String() {
			events = append(events, e)
			require.EqualValues(t, len(events), e.Sequence)
		}
	}
	return events
}

func (b *bench) publishedTypes(t *testing.T, id uuid.UUID) (types []string) {
	t.Helper()
	for _, e := range b.published(t, id) {
		types = append(types, e.Type)
	}
	return types
}
