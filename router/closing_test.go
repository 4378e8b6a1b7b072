package router

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/inbox"
)

// closingLedger is a Failures during whose count the router is closed.
type closingLedger struct {
	*ledger

	router *Router
	closed chan error
}

func (l *closingLedger) Failed(ctx context.Context, f inbox.Failure, n int) (inbox.Count, error) {
	go func() { l.closed <- l.router.Close(context.Background()) }()
	<-l.router.closing
	return l.ledger.Failed(ctx, f, n)
}

func TestClosingBetweenCountingAndGivingUpGivesNothingUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := build(t, Config{})
		ledger := &closingLedger{ledger: r.ledger, router: r.router, closed: make(chan error, 1)}
		r.router.cfg.Failures = ledger
		handle := func(*message.Message) error { return errInvalid }
		require.NoError(t, r.router.AddConsumer("order-customers", []string{"events.user.>"}, r.feed, handle))
		r.start(t.Context())
		<-r.router.router.Running()
		r.feed.send(event1, nil, "{}")
		require.NoError(t, <-ledger.closed)
		require.NoError(t, <-r.end)
		r.stop()
		require.Equal(t, []fate{{left: true}}, r.feed.fatesOf(event1))
		given, _ := r.ledger.givenUp()
		require.Empty(t, given)
	})
}

func TestAFailureOfASupersededRoundIsAcknowledged(t *testing.T) {
	t.Parallel()
	handle := func(*message.Message) error { return errInvalid }
	run(t, handle, func(t *testing.T, r *rig) {
		r.ledger.set(inbox.ErrSuperseded, nil)
		r.feed.send(event1, nil, "{}")
		eventually(t, time.Second, r.acked(event1))
		require.InDelta(t, 1, r.counter(t, "other", superseded), 0)
	})
}
