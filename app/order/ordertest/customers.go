package ordertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/correlation"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/app/order/query"
	"github.com/millrace/millrace/app/principal"
)

// envelope is an event about the buyer.
func (b *bench) envelope(typ string, sequence int64) envelope.Envelope {
	id := uuid.UUID(b.buyer.UserID).String()
	return envelope.Envelope{
		ID:   uuid.NewSHA1(b.buyer.UserID, fmt.Append(nil, typ, sequence)).String(),
		Type: typ, Source: contract.SourceUser, Key: id, Sequence: sequence, Time: b.at,
	}
}

func (b *bench) user(version int64, role principal.Role) contract.User {
	return contract.User{ID: uuid.UUID(b.buyer.UserID).String(), Role: string(role), Version: version, UpdatedAt: b.at}
}

func (b *bench) userChanged(sequence int64, role principal.Role) command.RecordCustomer {
	typ := contract.TypeUserUpdated
	if sequence == 1 {
		typ = contract.TypeUserCreated
	}
	return command.RecordCustomer{Event: b.envelope(typ, sequence), User: b.user(sequence, role)}
}

func (b *bench) userDeleted(sequence int64) command.ForgetCustomer {
	return command.ForgetCustomer{Event: b.envelope(contract.TypeUserDeleted, sequence), User: b.user(sequence, principal.RoleUser)}
}

// customer reads what is known of the buyer.
func (b *bench) customer(t *testing.T) (c order.Customer) {
	t.Helper()
	require.NoError(t, b.Store.Atomically(b.request, func(ctx context.Context, tx command.Tx) (err error) {
		c, err = tx.Customer(ctx, b.buyer.UserID)
		return err
	}))
	return c
}

func repeated(t *testing.T, b *bench) {
	require.NoError(t, b.record.Handle(b.request, b.userChanged(1, principal.RoleUser)))
	require.NoError(t, b.record.Handle(b.request, b.userChanged(2, principal.RolePublisher)))
	require.NoError(t, b.record.Handle(b.request, b.userChanged(1, principal.RoleUser)))
	require.Equal(t, order.Customer{UserID: b.buyer.UserID, Role: "publisher", Version: 2}, b.customer(t))

	b.placed(t)
	require.NoError(t, b.forget.Handle(b.request, b.userDeleted(3)))
	require.NoError(t, b.forget.Handle(b.request, b.userDeleted(3)))
	require.Len(t, b.Published(t), 2, "placed, and cancelled once")
	require.True(t, b.customer(t).DeletedAt.Equal(b.at))
}

func early(t *testing.T, b *bench) {
	o := b.placed(t)
	err := b.forget.Handle(b.request, b.userDeleted(2))
	require.Equal(t, fault.Early, fault.KindOf(err))
	b.requireStored(t, o)
	require.Nil(t, b.customer(t).DeletedAt)

	require.NoError(t, b.record.Handle(b.request, b.userChanged(1, principal.RoleUser)))
	require.NoError(t, b.forget.Handle(b.request, b.userDeleted(2)))
	require.Equal(t, order.Cancelled, b.stored(t, o.ID).Status)
}

func passedOver(t *testing.T, b *bench) {
	require.NoError(t, b.record.Handle(b.request, b.userChanged(1, principal.RoleUser)))
	require.NoError(t, b.pass.Handle(b.request, command.PassOver{Event: b.envelope("user.greeted.v1", 2)}))
	require.NoError(t, b.record.Handle(b.request, b.userChanged(3, principal.RoleAdmin)))
	require.EqualValues(t, 3, b.customer(t).Version)
}

// olderState has the store itself asked to go back: an event that was left out may come after newer ones.
func olderState(t *testing.T, b *bench) {
	older := order.Customer{UserID: b.buyer.UserID, Role: "user", Version: 1}
	newer := order.Customer{UserID: b.buyer.UserID, Role: "operator", Version: 4}
	for _, c := range []order.Customer{newer, older} {
		require.NoError(t, b.Store.Atomically(b.request, func(ctx context.Context, tx command.Tx) error {
			return tx.RecordCustomer(ctx, c, b.at)
		}))
	}
	require.Equal(t, newer, b.customer(t))

	require.NoError(t, b.Store.Atomically(b.request, func(ctx context.Context, tx command.Tx) error {
		if err := tx.ForgetCustomer(ctx, b.buyer.UserID, b.at); err != nil {
			return err
		}
		return tx.RecordCustomer(ctx, order.Customer{UserID: b.buyer.UserID, Role: "user", Version: 9}, b.at)
	}))
	require.NotNil(t, b.customer(t).DeletedAt, "a deleted account does not come back")
}

// steps counts the transactions of a fan-out, and fails the one before which the process is said to crash.
type steps struct {
	Store

	n, crashBefore int
}

var errCrash = errors.New("crash")

func (s *steps) ApplyInSteps(
	ctx context.Context, e envelope.Envelope, step func(ctx context.Context, tx command.Tx, late bool) (bool, error),
) error {
	return s.Store.ApplyInSteps(ctx, e, func(ctx context.Context, tx command.Tx, late bool) (bool, error) {
		s.n++
		if s.n == s.crashBefore {
			return false, errCrash
		}
		return step(ctx, tx, late)
	})
}

func forgotten(t *testing.T, b *bench) {
	spared := b.draft()
	spared.Caller = b.admin
	other, err := b.place.Handle(b.request, spared)
	require.NoError(t, err)
	for range 250 {
		b.placed(t)
	}
	counted := &steps{Store: b.Store}
	b.on(b.Store, counted)
	handling := correlation.With(b.request, correlation.IDs{Correlation: requestID, Causation: "event-7"})
	require.NoError(t, b.forget.Handle(handling, b.userDeleted(1)))
	require.Equal(t, 3, counted.n)
	b.requireAllForgotten(t, 250, "event-7")
	b.requireStored(t, other)
}

func textless(t *testing.T, b *bench) {
	placed, cancelled := b.placed(t), b.placed(t)
	_, err := b.cancel.Handle(b.request, command.CancelOrder{Caller: b.buyer, ID: cancelled.ID, Reason: "I moved to Mill Lane 7"})
	require.NoError(t, err)
	bare := b.draft()
	bare.Note = ""
	noted, err := b.place.Handle(b.request, bare)
	require.NoError(t, err)
	_, err = b.cancel.Handle(b.request, command.CancelOrder{Caller: b.buyer, ID: noted.ID, Reason: "call me"})
	require.NoError(t, err)
	spared := b.draft()
	spared.Caller = b.admin
	other, err := b.place.Handle(b.request, spared)
	require.NoError(t, err)
	published := len(b.Published(t))

	require.NoError(t, b.forget.Handle(b.request, b.userDeleted(1)))

	for _, before := range []order.Order{placed, cancelled} {
		o := b.stored(t, before.ID)
		require.Empty(t, o.Note)
		require.Equal(t, before.Items, o.Items)
	}
	require.Equal(t, contract.ReasonUserDeleted, b.stored(t, placed.ID).CancelReason, "our own word stays")
	require.Empty(t, b.stored(t, cancelled.ID).CancelReason)
	require.Empty(t, b.stored(t, noted.ID).CancelReason, "also where there was no note")
	require.EqualValues(t, 3, b.stored(t, cancelled.ID).Version, "another state has another version")
	require.EqualValues(t, 2, b.stored(t, cancelled.ID).Sequence, "but no event")
	require.Len(t, b.Published(t), published+1, "the placed one was cancelled")
	b.requireStored(t, other)
	require.NoError(t, b.deleted(cancelled.ID, nil), "and its deletion has the next sequence")
}

func crashedBetween(t *testing.T, b *bench) {
	for range 250 {
		b.placed(t)
	}
	b.on(b.Store, &steps{Store: b.Store, crashBefore: 3})
	require.ErrorIs(t, b.forget.Handle(b.request, b.userDeleted(1)), errCrash)
	orders, _, err := b.Store.List(b.request, query.Filter{Status: order.Placed}, 300)
	require.NoError(t, err)
	require.Len(t, orders, 50, "two steps are committed")

	b.on(b.Store, b.Store)
	require.NoError(t, b.forget.Handle(b.request, b.userDeleted(1)))
	b.requireAllForgotten(t, 250, "")
}

// requireAllForgotten asks that n orders of the buyer, and no more, are cancelled for the deletion, each by one event.
func (b *bench) requireAllForgotten(t *testing.T, n int, causation string) {
	t.Helper()
	buyer := uuid.UUID(b.buyer.UserID)
	orders, _, err := b.Store.List(b.request, query.Filter{UserID: &buyer}, n+1)
	require.NoError(t, err)
	require.Len(t, orders, n)
	for _, o := range orders {
		require.Equal(t, order.Cancelled, o.Status)
		require.Equal(t, contract.ReasonUserDeleted, o.CancelReason)
		require.EqualValues(t, 2, o.Version)
	}
	cancelled := map[string]int{}
	for _, e := range b.Published(t) {
		if e.Type != contract.TypeOrderCancelled {
			continue
		}
		cancelled[e.Key]++
		var event contract.OrderCancelled
		require.NoError(t, json.Unmarshal(e.Data, &event))
		require.Equal(t, contract.ReasonUserDeleted, event.Reason)
		require.EqualValues(t, 2, e.Sequence)
		require.Equal(t, requestID, e.CorrelationID)
		require.Equal(t, causation, e.CausationID)
	}
	require.Len(t, cancelled, n)
	for _, times := range cancelled {
		require.Equal(t, 1, times)
	}
}

// outdated is an inbox in whose transactions the list of placed orders names one that is gone by now.
type outdated struct {
	Store

	gone uuid.UUID
}

func (o outdated) ApplyInSteps(
	ctx context.Context, e envelope.Envelope, step func(ctx context.Context, tx command.Tx, late bool) (bool, error),
) error {
	return o.Store.ApplyInSteps(ctx, e, func(ctx context.Context, tx command.Tx, late bool) (bool, error) {
		return step(ctx, outdatedTx{tx, o.gone}, late)
	})
}

type outdatedTx struct {
	command.Tx

	gone uuid.UUID
}

func (o outdatedTx) PlacedBy(ctx context.Context, userID uuid.UUID, limit int) ([]uuid.UUID, error) {
	ids, err := o.Tx.PlacedBy(ctx, userID, limit-1)
	return append([]uuid.UUID{o.gone}, ids...), err
}

func deletedMeanwhile(t *testing.T, b *bench) {
	b.placed(t)
	b.on(b.Store, outdated{b.Store, newID()})
	require.NoError(t, b.forget.Handle(b.request, b.userDeleted(1)))
	b.requireAllForgotten(t, 1, "")
}

func unknownDeleted(t *testing.T, b *bench) {
	require.NoError(t, b.forget.Handle(b.request, b.userDeleted(1)))
	_, err := b.place.Handle(b.request, b.draft())
	require.ErrorIs(t, err, order.ErrCustomerDeleted)
	draft := b.draft()
	own := uuid.UUID(b.buyer.UserID)
	draft.Caller, draft.UserID = b.admin, &own
	_, err = b.place.Handle(b.request, draft)
	require.ErrorIs(t, err, order.ErrCustomerDeleted, "an admin cannot either")
	require.Empty(t, b.Published(t))
}

// raced has eight callers place orders for a user until they are refused, and deletes the user in the middle of it.
func raced(t *testing.T, b *bench) {
	const callers, before = 8, 40
	var (
		placing sync.WaitGroup
		mu      sync.Mutex
		placed  int
		failed  error
		warm    = make(chan struct{})
	)
	deadline := time.Now().Add(30 * time.Second)
	for range callers {
		placing.Go(func() {
			for time.Now().Before(deadline) {
				_, err := b.place.Handle(b.request, b.draft())
				if errors.Is(err, order.ErrCustomerDeleted) {
					return
				}
				mu.Lock()
				if placed++; placed == before {
					close(warm)
				}
				if err != nil {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	<-warm
	require.NoError(t, b.forget.Handle(b.request, b.userDeleted(1)))
	placing.Wait()
	require.NoError(t, failed)
	b.requireAllForgotten(t, placed, "")
}
