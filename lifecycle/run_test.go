package lifecycle_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/adapters/memory"
	"github.com/millrace/millrace/app/backoff"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/lifecycle"
	"github.com/millrace/millrace/router"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func build(t *testing.T, c lifecycle.Config) *lifecycle.Service {
	t.Helper()
	c.Name, c.Database = "shipping", alwaysThere{}
	s, err := lifecycle.New(c)
	require.NoError(t, err)
	return s
}

// probe returns the error of one of the service's checks.
func probe(t *testing.T, s *lifecycle.Service, name string) error {
	t.Helper()
	for _, c := range s.Checks() {
		if c.Name == name {
			return c.Probe(t.Context())
		}
	}
	t.Fatalf("there is no check %s", name)
	return nil
}

func TestWorkerThatEndsMakesTheServiceNotReady(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]error{"with an error": errors.New("no more labels"), "without": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := build(t, lifecycle.Config{Workers: []lifecycle.Worker{
					{Name: "labels", Run: func(context.Context) error { <-time.After(time.Second); return result }},
				}})
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- s.Run(ctx) }()
				synctest.Wait()
				require.NoError(t, probe(t, s, "shipping_workers"))
				<-time.After(time.Minute)
				err := probe(t, s, "shipping_workers")
				require.Equal(t, fault.Unavailable, fault.KindOf(err))
				require.ErrorContains(t, err, "labels")
				stop()
				require.NoError(t, <-ended)
			})
		})
	}
}

func TestPreparationIsRetriedUntilItSucceeds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int32
		s := build(t, lifecycle.Config{Prepare: []func(context.Context) error{func(context.Context) error {
			if attempts.Add(1) < 20 {
				return errors.New("connection refused")
			}
			return nil
		}}})
		require.ErrorContains(t, probe(t, s, "shipping_database"), "connects to its database", "it has not run yet")
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		synctest.Wait()
		require.ErrorContains(t, probe(t, s, "shipping_database"), "could not be prepared yet")
		<-time.After(3 * time.Minute)
		require.NoError(t, probe(t, s, "shipping_database"))
		require.EqualValues(t, 20, attempts.Load())
		stop()
		require.NoError(t, <-ended)
	})
}

func TestPermanentErrorOfThePreparationEndsTheRun(t *testing.T) {
	t.Parallel()
	wrongKey := errors.New("wrong key")
	s := build(t, lifecycle.Config{Prepare: []func(context.Context) error{func(context.Context) error { return backoff.Permanent(wrongKey) }}})
	require.ErrorIs(t, s.Run(t.Context()), wrongKey)
}

func TestRunThatIsEndedWhileItStartsSucceeds(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	s := build(t, lifecycle.Config{Prepare: []func(context.Context) error{func(context.Context) error {
		stop()
		return errors.New("connection refused")
	}}})
	require.NoError(t, s.Run(ctx))
}

// inMemory is a broker of the test's own.
type inMemory struct{ *memory.Broker }

func (inMemory) EnsureStreams(context.Context, ...string) error { return nil }
func (inMemory) Differences() []string                          { return nil }
func (inMemory) Close()                                         {}

func (b inMemory) EnsureConsumer(ctx context.Context, name, topic string) (complete bool, err error) {
	return b.Broker.EnsureConsumer(ctx, memory.ConsumerSpec{Name: name, Filters: []string{topic}, AckWait: time.Minute})
}

func (b inMemory) Subscriber(consumer string) message.Subscriber {
	return b.Broker.Subscriber(memory.SubscriberConfig{Consumer: consumer, CloseTimeout: time.Minute})
}

func TestDrainEndsWorkersAfterTheLastHandler(t *testing.T) {
	t.Parallel()
	broker := inMemory{memory.New(memory.Config{})}
	t.Cleanup(func() { require.NoError(t, broker.Broker.Close()) })
	consumers, err := router.New(router.Config{Service: "shipping", Probe: alwaysThere{}.Ping})
	require.NoError(t, err)
	handling, release, workerEnded := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s := build(t, lifecycle.Config{
		Broker: broker, Router: consumers,
		Consumers: []lifecycle.Consumer{{
			Name: "labels", Topics: []string{"events.order.>"}, Options: []router.ConsumerOption{router.NeverPoison()},
			Handle: func(*message.Message) error { close(handling); <-release; return nil },
		}},
		Workers: []lifecycle.Worker{{Name: "printer", Run: func(ctx context.Context) error { <-ctx.Done(); close(workerEnded); return nil }}},
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	broker.PublishAsync("events.order.placed.v1", message.NewMessage(uuid.NewString(), nil), func(uint64, error) {})
	<-handling
	stop()
	select {
	case <-workerEnded:
		t.Fatal("a worker ended while a handler may still need it")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	require.NoError(t, <-ended)
	<-workerEnded
}

func TestGroupKeepsEveryErrorAndEndsItsContextAtTheFirst(t *testing.T) {
	t.Parallel()
	one, two := errors.New("one"), errors.New("two")
	g, ctx := lifecycle.NewGroup(t.Context())
	g.Go("first", func() error { return one })
	g.Go("second", func() error { <-ctx.Done(); return two })
	err := g.Wait()
	require.ErrorIs(t, err, one)
	require.ErrorIs(t, err, two)
	require.ErrorContains(t, err, "first: one")
}
