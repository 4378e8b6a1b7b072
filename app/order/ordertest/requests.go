package ordertest

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/idempotency"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/app/principal"
)

// once makes the draft a request with a key: that of the first byte, with the body of the second.
func (b *bench) once(key, body byte) command.PlaceOrder {
	c := b.draft()
	c.Once.Key.ID[0], c.Once.Key.Fingerprint[0] = key, body
	c.Once.Answer = func(o order.Order) (idempotency.Answer, error) {
		body, err := json.Marshal(o)
		return idempotency.Answer{Status: 201, Location: "/here/" + o.ID.String(), ETag: `"1"`, Body: body}, err
	}
	return c
}

// requireReplay asks that err stands for the answer that told of o.
func (b *bench) requireReplay(t *testing.T, c command.PlaceOrder, o order.Order) {
	t.Helper()
	answer, err := c.Once.Answer(o)
	require.NoError(t, err)
	_, err = b.place.Handle(b.request, c)
	var replay *idempotency.Replay
	require.ErrorAs(t, err, &replay)
	require.Equal(t, answer, replay.Answer)
}

func requestAgain(t *testing.T, b *bench) {
	o, err := b.place.Handle(b.request, b.once(1, 1))
	require.NoError(t, err)
	b.requireReplay(t, b.once(1, 1), o)

	_, err = b.place.Handle(b.request, b.once(1, 2))
	require.ErrorIs(t, err, idempotency.ErrReused)
	other, err := b.place.Handle(b.request, b.once(2, 1))
	require.NoError(t, err)
	require.NotEqual(t, o.ID, other.ID)

	note := "changed"
	_, err = b.update.Handle(b.request, command.UpdateOrder{Caller: b.buyer, ID: o.ID, Change: order.Change{Note: &note}})
	require.NoError(t, err)
	b.requireReplay(t, b.once(1, 1), o)
	require.NoError(t, b.delete.Handle(b.request, command.DeleteOrder{Caller: b.buyer, ID: o.ID}))
	b.requireReplay(t, b.once(1, 1), o)

	b.at = b.at.Add(idempotency.KeptFor - time.Second)
	b.requireReplay(t, b.once(1, 1), o)
	b.at = b.at.Add(time.Second)
	again, err := b.place.Handle(b.request, b.once(1, 3))
	require.NoError(t, err, "a day later it is a new request")
	b.requireReplay(t, b.once(1, 3), again)
}

// noteless has the note go with its order, and the key stay used.
func noteless(t *testing.T, b *bench) {
	o, err := b.place.Handle(b.request, b.once(1, 1))
	require.NoError(t, err)
	other, err := b.place.Handle(b.request, b.once(2, 1))
	require.NoError(t, err)
	require.NoError(t, b.delete.Handle(b.request, command.DeleteOrder{
		Caller: b.buyer, ID: o.ID,
		Answers: idempotency.Redaction{Location: "/here/" + o.ID.String(), Body: func(kept []byte) ([]byte, error) {
			var answered order.Order
			if err := json.Unmarshal(kept, &answered); err != nil {
				return nil, err
			}
			answered.Note = ""
			return json.Marshal(answered)
		}},
	}))
	o.Note = ""
	b.requireReplay(t, b.once(1, 1), o)
	b.requireReplay(t, b.once(2, 1), other)
}

func requestFailed(t *testing.T, b *bench) {
	c := b.once(1, 1)
	c.Currency = "XXX"
	_, err := b.place.Handle(b.request, c)
	require.Error(t, err)

	gone := b.once(1, 2)
	gone.Caller.UserID = newID()
	require.NoError(t, b.Store.Atomically(b.request, func(ctx context.Context, tx command.Tx) error {
		return tx.ForgetCustomer(ctx, gone.Caller.UserID, b.at)
	}))
	_, err = b.place.Handle(b.request, gone)
	require.ErrorIs(t, err, order.ErrCustomerDeleted)

	_, err = b.place.Handle(b.request, b.once(1, 3))
	require.NoError(t, err, "what failed used up no key")
}

// lossy commits and loses the answer, as a process does that is killed behind its commit.
type lossy struct{ Store }

var errLost = errors.New("killed behind the commit")

func (l lossy) Atomically(ctx context.Context, fn func(ctx context.Context, tx command.Tx) error) error {
	if err := l.Store.Atomically(ctx, fn); err != nil {
		return err
	}
	return errLost
}

func requestLost(t *testing.T, b *bench) {
	var made order.Order
	c := b.once(1, 1)
	answer := c.Once.Answer
	c.Once.Answer = func(o order.Order) (idempotency.Answer, error) {
		made = o
		return answer(o)
	}
	b.on(lossy{b.Store}, b.Store)
	_, err := b.place.Handle(b.request, c)
	require.ErrorIs(t, err, errLost)

	b.on(b.Store, b.Store)
	b.requireReplay(t, b.once(1, 1), made)
	b.requireStored(t, made)
	require.Len(t, b.Published(t), 1)
}

func requestCrowd(t *testing.T, b *bench) {
	var (
		callers  sync.WaitGroup
		placed   atomic.Int64
		replays  atomic.Int64
		answers  sync.Map
		accepted order.Order
	)
	for range 64 {
		callers.Go(func() {
			o, err := b.place.Handle(b.request, b.once(1, 1))
			if replay, ok := errors.AsType[*idempotency.Replay](err); ok {
				replays.Add(1)
				answers.Store(string(replay.Answer.Body), true)
				return
			}
			if err == nil {
				placed.Add(1)
				accepted = o
			} else {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	require.EqualValues(t, 1, placed.Load())
	require.EqualValues(t, 63, replays.Load())
	answers.Range(func(body, _ any) bool {
		var o order.Order
		require.NoError(t, json.Unmarshal([]byte(body.(string)), &o))
		require.Equal(t, accepted.ID, o.ID)
		return true
	})
	require.Len(t, b.Published(t), 1)
}

// requestForgotten has a user who is deleted leave more answers than one step takes.
func requestForgotten(t *testing.T, b *bench) {
	require.NoError(t, b.record.Handle(b.request, b.userChanged(1, principal.RoleUser)))
	_, err := b.place.Handle(b.request, b.once(1, 1))
	require.NoError(t, err)
	const more = 700
	require.NoError(t, b.Store.Atomically(b.request, func(ctx context.Context, tx command.Tx) error {
		for i := range more {
			r := idempotency.Record{Owner: b.buyer.UserID, At: b.at, Answer: idempotency.Answer{Status: 201, Body: []byte("{}")}}
			r.Key.ID[0], r.Key.ID[1], r.Key.ID[2] = 2, byte(i>>8), byte(i)
			if err := tx.Remember(ctx, &r); err != nil {
				return err
			}
		}
		return nil
	}))
	other := b.once(3, 1)
	other.Caller.UserID = newID()
	kept, err := b.place.Handle(b.request, other)
	require.NoError(t, err)

	require.NoError(t, b.forget.Handle(b.request, b.userDeleted(2)))
	_, err = b.place.Handle(b.request, b.once(1, 1))
	require.ErrorIs(t, err, order.ErrCustomerDeleted, "the answer is gone")
	require.NoError(t, b.Store.Atomically(b.request, func(ctx context.Context, tx command.Tx) error {
		left, err := tx.ForgetAnswers(ctx, b.buyer.UserID, more)
		require.Zero(t, left)
		return err
	}))
	b.requireReplay(t, other, kept)
}
