package relay

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A broker may be restarted within a moment that nobody saw. A publication that fails is what is left of it.
func TestFailedPublicationReconcilesTheTailOnALiveConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		stop := r.start(t, nil)
		for n := range int64(20) {
			r.outbox.add("a", n+1)
		}
		eventually(t, time.Second, r.drained)
		<-time.After(2 * minSessionDuration)
		r.broker.reconnect(5)
		r.broker.setResponse(func(_ string, n int) response {
			if n == 1 {
				return storeAndLoseAck
			}
			return storeAndAck
		})
		r.outbox.add("b", 1)
		eventually(t, 5*time.Second, func() bool { return len(r.broker.contents()) == 21 && r.drained() })
		r.requireOrder(t, map[string]int{"a": 20, "b": 1})
		stop()
	})
}

// slowRenewal is an outbox whose answer to a renewal comes when the lease term is over.
type slowRenewal struct {
	*memoryOutbox

	late time.Duration
}

func (o slowRenewal) Renew(ctx context.Context, epoch int64, ttl time.Duration) error {
	err := o.memoryOutbox.Renew(ctx, epoch, ttl)
	<-time.After(o.late)
	return err
}

// By the time the answer comes another may hold the lease: the database's clock counts from before it was sent.
func TestLateRenewalDoesNotExtendTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outbox := slowRenewal{newMemoryOutbox(), time.Second}
		r, err := New(Config{Service: "order", Holder: "one", Outbox: outbox, Broker: newFakeBroker()})
		require.NoError(t, err)
		term, err := r.acquire(t.Context())
		require.NoError(t, err)
		<-time.After(term.remaining() - outbox.late/2)
		require.NoError(t, r.renew(t.Context(), term))
		require.False(t, term.valid())
	})
}
