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

// closingFailures is a Failures during whose count the router is closed.
type closingFailures struct {
	*fakeFailures

	router *Router
	closed chan error
}

func (l *closingFailures) Failed(ctx context.Context, f inbox.Failure, n int) (inbox.Count, error) {
	go func() { l.closed <- l.router.Close(context.Background()) }()
	<-l.router.closing
	return l.fakeFailures.Failed(ctx, f, n)
}

func TestClosingAfterCountingGivesNothingUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture(t, Config{})
		ledger := &closingFailures{fakeFailures: r.failures, router: r.router, closed: make(chan error, 1)}
		r.router.cfg.Failures = ledger
		handle := func(*message.Message) error { return errInvalid }
		require.NoError(t, r.router.AddConsumer("order-customers", []string{"events.user.>"}, r.subscriber, handle))
		r.start(t.Context())
		<-r.router.router.Running()
		r.subscriber.send(event1, nil, "{}")
		require.NoError(t, <-ledger.closed)
		require.NoError(t, <-r.end)
		r.stop()
		require.Equal(t, []result{{unacknowledged: true}}, r.subscriber.resultsOf(event1))
		given, _ := r.failures.givenUp()
		require.Empty(t, given)
	})
}

func TestFailureOfASupersededRoundIsAcknowledged(t *testing.T) {
	t.Parallel()
	handle := func(*message.Message) error { return errInvalid }
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		r.failures.set(inbox.ErrSuperseded, nil)
		r.subscriber.send(event1, nil, "{}")
		eventually(t, time.Second, r.acked(event1))
		require.InDelta(t, 1, r.counter(t, "other", superseded), 0)
	})
}
