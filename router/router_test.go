package router

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/correlation"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/inbox"
)

const (
	event1 = "0198aaaa-0000-7000-8000-000000000001"
	event2 = "0198aaaa-0000-7000-8000-000000000002"
)

var (
	errAway    = fault.New(fault.Unavailable, "database_away", "The database is away.")
	errInvalid = fault.New(fault.Invalid, "undecodable", "The event cannot be decoded.")
	errEarly   = fault.New(fault.Early, "early", "The predecessor is missing.")
)

// fixture is a router with one consumer and a fake subscriber.
type fixture struct {
	router     *Router
	subscriber *fakeSubscriber
	failures   *fakeFailures
	registry   *prometheus.Registry
	log        *logBuffer
	away       atomic.Bool // what the probe finds
	end        chan error  // of Run
	stop       context.CancelFunc
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// withRouter calls body with a running router, in a bubble with a fake clock, and closes the router afterwards.
func withRouter(t *testing.T, handle message.NoPublishHandlerFunc, body func(t *testing.T, r *fixture), options ...ConsumerOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture(t, Config{})
		require.NoError(t, r.router.AddConsumer("order-customers", []string{"events.user.>"}, r.subscriber, handle, options...))
		r.start(t.Context())
		<-r.router.router.Running()
		body(t, r)
		r.stop()
		require.NoError(t, <-r.end)
	})
}

func newFixture(t *testing.T, cfg Config) *fixture {
	t.Helper()
	r := &fixture{
		subscriber: newFakeSubscriber(), failures: newFakeFailures(), registry: prometheus.NewRegistry(), log: &logBuffer{},
		end: make(chan error, 1),
	}
	cfg.Service, cfg.Failures, cfg.Metrics, cfg.Requeued = "order", r.failures, r.registry, requeueKey
	cfg.Types = []string{contract.TypeUserCreated}
	cfg.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	cfg.Probe = func(context.Context) error {
		if r.away.Load() {
			return errAway
		}
		return nil
	}
	router, err := New(cfg)
	require.NoError(t, err)
	r.router = router
	return r
}

func (r *fixture) start(ctx context.Context) {
	ctx, r.stop = context.WithCancel(ctx)
	go func() { r.end <- r.router.Run(ctx) }()
}

func (r *fixture) acked(id string) func() bool {
	return func() bool {
		fates := r.subscriber.resultsOf(id)
		return len(fates) > 0 && fates[len(fates)-1].acked
	}
}

// counter reads millrace_messages_handled_total.
func (r *fixture) counter(t *testing.T, eventType string, o outcome) float64 {
	t.Helper()
	families, err := r.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != "millrace_messages_handled_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["type"] == eventType && labels["outcome"] == string(o) {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestHandledMessageIsAcknowledged(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	handle := func(*message.Message) error { calls.Add(1); return nil }
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		r.subscriber.send(event1, map[string]string{envelope.MetaType: contract.TypeUserCreated}, "{}")
		r.subscriber.send(event2, map[string]string{envelope.MetaType: "made.up.by.a.stranger"}, "{}")
		eventually(t, time.Second, r.acked(event1))
		eventually(t, time.Second, r.acked(event2))
		require.EqualValues(t, 2, calls.Load())
		require.Empty(t, r.failures.counted())
		require.InDelta(t, 1, r.counter(t, contract.TypeUserCreated, handled), 0)
		require.InDelta(t, 1, r.counter(t, "other", handled), 0, "an unknown type has no label of its own")
	})
}

func TestHandledEventIsLoggedUnderItsCorrelationID(t *testing.T) {
	t.Parallel()
	withRouter(t, succeed, func(t *testing.T, r *fixture) {
		r.subscriber.send(event1, map[string]string{
			envelope.MetaType: contract.TypeUserCreated, envelope.MetaPartitionKey: "user-1", envelope.MetaCorrelation: "my-first-user",
		}, "{}")
		eventually(t, time.Second, r.acked(event1))
		require.Regexp(t, "level=INFO msg=\"event handled\" service=order consumer=order-customers type=user.created.v1 key=user-1 "+
			"event_id="+event1+" correlation_id=my-first-user took=", r.log.String())
	})
}

func TestTransientFailureIsRetriedWithinTheDelivery(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	handle := func(*message.Message) error {
		if calls.Add(1) < 3 {
			return errors.New("hiccup")
		}
		return nil
	}
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		r.subscriber.send(event1, nil, "{}")
		eventually(t, time.Second, r.acked(event1))
		require.EqualValues(t, 3, calls.Load())
		require.Equal(t, []result{{acked: true}}, r.subscriber.resultsOf(event1), "one delivery")
		require.Empty(t, r.failures.counted())
	})
}

func TestQuickThenLateRetriesThenPoison(t *testing.T) {
	t.Parallel()
	var at []time.Duration
	var start time.Time
	handle := func(*message.Message) error {
		at = append(at, time.Since(start)) // one message: one goroutine at a time
		return fault.New(fault.Conflict, "conflict", "Does not fit.")
	}
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		start = time.Now()
		r.subscriber.send(event1, requeued(event1, map[string]string{
			envelope.MetaPoisonSubject: "events.user.created.v1", envelope.MetaRound: "2", "kept": "yes",
		}, `{"a":1}`), `{"a":1}`)
		eventually(t, 10*time.Minute, r.acked(event1))

		const ms = time.Millisecond
		var want []time.Duration
		for _, begin := range []time.Duration{0, 5225 * ms, 35450 * ms, 155675 * ms} { // 225 ms of quick pauses, and 5 s, 30 s, 2 min
			want = append(want, begin, begin+75*ms, begin+225*ms)
		}
		require.Equal(t, want, at)
		require.Equal(t, []int{3, 3, 3, 3}, r.failures.counted())
		given, sums := r.failures.givenUp()
		require.Len(t, given, 1)
		require.Equal(t, 12, sums[0].Attempts)
		require.Equal(t, "order-customers", given[0].Consumer)
		require.Equal(t, event1, given[0].Event.ID)
		require.JSONEq(t, `{"a":1}`, string(given[0].Event.Data))
		require.Equal(t, "events.user.created.v1", given[0].Subject)
		require.Equal(t, 2, given[0].Round)
		require.Equal(t, "Does not fit.", given[0].Reason)
		require.Equal(t, "yes", given[0].Metadata["kept"])
		require.False(t, given[0].Gap)
		require.InDelta(t, 3, r.counter(t, "other", failed), 0)
		require.InDelta(t, 1, r.counter(t, "other", poisoned), 0)
		require.Equal(t, 4, strings.Count(r.log.String(), "message not handled"), "one line per failed delivery")
		require.NotContains(t, r.log.String(), "Handler returned error")
	})
}

func TestPermanentFailureIsPoisonedWithoutRetry(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	handle := func(*message.Message) error { calls.Add(1); return errInvalid }
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		r.subscriber.send(event1, nil, "not json")
		eventually(t, time.Second, r.acked(event1))
		require.EqualValues(t, 1, calls.Load())
		given, sums := r.failures.givenUp()
		require.Len(t, given, 1)
		require.Equal(t, 1, sums[0].Attempts)
		require.NotContains(t, r.log.String(), "not json", "payloads stay out of the log")
	})
}

func TestGapIsGivenUpWithItsReason(t *testing.T) {
	t.Parallel()
	handle := func(*message.Message) error {
		return fault.New(fault.Invalid, inbox.CodeGap, "Its predecessors never came.")
	}
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		r.subscriber.send(event1, nil, "{}")
		eventually(t, time.Second, r.acked(event1))
		given, _ := r.failures.givenUp()
		require.Len(t, given, 1)
		require.True(t, given[0].Gap)
	})
}

func TestRequeuedMessageKeepsItsFirstSubject(t *testing.T) {
	t.Parallel()
	handle := func(*message.Message) error { return errInvalid }
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		r.subscriber.send(event1, requeued(event1, map[string]string{envelope.MetaPoisonSubject: "events.user.deleted.v1"}, "{}"), "{}")
		r.subscriber.send(event2, map[string]string{envelope.MetaPoisonSubject: "events.forged.v1"}, "{}")
		eventually(t, time.Second, r.acked(event1))
		eventually(t, time.Second, r.acked(event2))
		given, _ := r.failures.givenUp()
		require.Len(t, given, 2)
		subjects := map[string]string{given[0].Event.ID: given[0].Subject, given[1].Event.ID: given[1].Subject}
		require.Equal(t, map[string]string{event1: "events.user.deleted.v1", event2: "events.user.created.v1"}, subjects)
	})
}

func TestEarlyMessageIsRedeliveredWithoutCountingAFailure(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	handle := func(*message.Message) error {
		if calls.Add(1) < 9 {
			return errEarly
		}
		return nil
	}
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		r.subscriber.send(event1, nil, "{}")
		eventually(t, time.Minute, r.acked(event1))
		var delays []time.Duration
		for _, f := range r.subscriber.resultsOf(event1) {
			delays = append(delays, f.delay)
		}
		const ms = time.Millisecond
		require.Equal(t, []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms, 0}, delays)
		require.Empty(t, r.failures.counted())
		require.InDelta(t, 8, r.counter(t, "other", early), 0)
		require.NotContains(t, r.log.String(), "message not handled")
	})
}

func TestPanicIsRetriedAndPoisonedWithItsStack(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	handle := func(*message.Message) error { calls.Add(1); panicking(); return nil }
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		r.subscriber.send(event1, nil, "{}")
		eventually(t, 10*time.Minute, r.acked(event1))
		require.EqualValues(t, 12, calls.Load())
		given, _ := r.failures.givenUp()
		require.Len(t, given, 1)
		require.Equal(t, "panic: out of rails", given[0].Reason)
		require.Contains(t, given[0].Stack, "panicking")
	})
}

func succeed(*message.Message) error { return nil }

func panicking() { panic("out of\nrails") }

func TestAttemptTimeoutIsAFailure(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	handle := func(msg *message.Message) error {
		if calls.Add(1) == 4 {
			return nil
		}
		<-msg.Context().Done()
		return msg.Context().Err()
	}
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		start := time.Now()
		r.subscriber.send(event1, nil, "{}")
		eventually(t, time.Minute, r.acked(event1))
		require.InDelta(t, 35.225, time.Since(start).Seconds(), 0.01, "three times 10 s, pauses, and 5 s")
		require.Equal(t, []int{3}, r.failures.counted())
		require.Contains(t, r.log.String(), "took too long")
	})
}

func TestUnavailableDatabasePausesTheConsumers(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	var f *fixture
	handle := func(*message.Message) error {
		calls.Add(1)
		if f.away.Load() {
			return errAway
		}
		return nil
	}
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		f = r
		r.away.Store(true)
		r.subscriber.send(event1, nil, "{}")
		eventually(t, time.Second, func() bool { return len(r.subscriber.resultsOf(event1)) == 1 })
		r.subscriber.send(event2, nil, "{}")
		<-time.After(time.Hour)
		require.EqualValues(t, 1, calls.Load(), "nothing is tried while paused")
		for _, f := range append(r.subscriber.resultsOf(event1), r.subscriber.resultsOf(event2)...) {
			require.False(t, f.acked || f.unacknowledged)
			require.GreaterOrEqual(t, f.delay, time.Second)
		}
		r.away.Store(false)
		eventually(t, 10*time.Second, r.acked(event1))
		eventually(t, 10*time.Second, r.acked(event2))
		require.Empty(t, r.failures.counted())
		given, _ := r.failures.givenUp()
		require.Empty(t, given)
		require.Equal(t, 1, strings.Count(r.log.String(), "consumers paused"))
		require.Equal(t, 1, strings.Count(r.log.String(), "consumers resumed"))
	})
}

func TestUnknownCommitOutcomePausesTheConsumers(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	handle := func(*message.Message) error {
		if calls.Add(1) == 1 {
			return fault.New(fault.Unknown, "unknown", "The commit's answer was lost.")
		}
		return nil
	}
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		r.subscriber.send(event1, nil, "{}")
		eventually(t, 5*time.Second, r.acked(event1))
		require.EqualValues(t, 2, calls.Load())
		require.Empty(t, r.failures.counted())
	})
}

func TestMessageWhoseFailureCannotBeStoredIsRedelivered(t *testing.T) {
	t.Parallel()
	handle := func(*message.Message) error { return errInvalid }
	for name, fail := range map[string]func(l *fakeFailures, err error){
		"counting": func(l *fakeFailures, err error) { l.set(err, nil) },
		"giving":   func(l *fakeFailures, err error) { l.set(nil, err) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withRouter(t, handle, func(t *testing.T, r *fixture) {
				r.away.Store(true)
				fail(r.failures, errAway)
				r.subscriber.send(event1, nil, "{}")
				<-time.After(time.Minute)
				given, _ := r.failures.givenUp()
				require.Empty(t, given)
				require.False(t, r.acked(event1)())
				require.Contains(t, r.log.String(), "consumers paused")
				r.failures.set(nil, nil)
				r.away.Store(false)
				eventually(t, 20*time.Second, r.acked(event1))
				given, _ = r.failures.givenUp()
				require.Len(t, given, 1)
			})
		})
	}
}

// A database that refuses everything for a reason that nobody knows is told once a while, not with each message.
func TestFailuresThatCannotBeStoredDoNotFloodTheLog(t *testing.T) {
	t.Parallel()
	handle := func(*message.Message) error { return errors.New("nobody knows this error") }
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		r.failures.set(errors.New("nor this"), nil)
		const messages = 100
		for n := range messages {
			r.subscriber.send(fmt.Sprintf("00000000-0000-7000-8000-%012d", n), nil, "{}")
		}
		<-time.After(time.Minute)
		lines := strings.Count(r.log.String(), "level=ERROR") + strings.Count(r.log.String(), "level=WARN")
		require.Positive(t, lines)
		require.Less(t, lines, 20)
		require.Contains(t, r.log.String(), "not_logged=")
	})
}

func TestGivingUpBeforeThePredecessorIsRedeliveredAsEarly(t *testing.T) {
	t.Parallel()
	handle := func(*message.Message) error { return errInvalid }
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		r.failures.set(nil, errEarly)
		r.subscriber.send(event1, nil, "{}")
		eventually(t, 5*time.Second, func() bool { return len(r.subscriber.resultsOf(event1)) == 3 })
		r.failures.set(nil, nil)
		eventually(t, 5*time.Second, r.acked(event1))
		require.NotContains(t, r.log.String(), "consumers paused")
	})
}

func TestConsumerThatNeverPoisonsRetriesForever(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	handle := func(*message.Message) error {
		if calls.Add(1) < 60 {
			return errInvalid
		}
		return nil
	}
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		r.subscriber.send(event1, nil, "{}")
		eventually(t, time.Hour, r.acked(event1))
		fates := r.subscriber.resultsOf(event1)
		require.Equal(t, 30*time.Second, fates[len(fates)-2].delay, "the delay grows no further")
		require.Empty(t, r.failures.counted())
		given, _ := r.failures.givenUp()
		require.Empty(t, given)
	}, NeverPoison())
}

func TestHandlersReceiveCorrelationAndTrace(t *testing.T) {
	t.Parallel()
	var ids []correlation.IDs
	var spans []trace.SpanContext
	handle := func(msg *message.Message) error {
		ids = append(ids, correlation.From(msg.Context()))
		spans = append(spans, trace.SpanContextFromContext(msg.Context()))
		return nil
	}
	withRouter(t, handle, func(t *testing.T, r *fixture) {
		r.subscriber.send(event1, map[string]string{
			envelope.MetaCorrelation: "request-7",
			envelope.MetaTraceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		}, "{}")
		eventually(t, time.Second, r.acked(event1))
		r.subscriber.send(event2, map[string]string{envelope.MetaCorrelation: "not safe\n"}, "{}")
		eventually(t, time.Second, r.acked(event2))
		require.Equal(t, []correlation.IDs{{Correlation: "request-7", Causation: event1}, {Correlation: event2, Causation: event2}}, ids)
		require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", spans[0].TraceID().String())
		require.False(t, spans[1].TraceID().IsValid())
	})
}

func TestClosingWaitsForRunningHandlersAndAcknowledgesThem(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	var broken error
	synctest.Test(t, func(t *testing.T) {
		started = make(chan struct{})
		handle := func(msg *message.Message) error {
			close(started)
			<-time.After(3 * time.Second)
			broken = msg.Context().Err()
			return nil
		}
		r := newFixture(t, Config{})
		require.NoError(t, r.router.AddConsumer("order-customers", []string{"events.user.>"}, r.subscriber, handle))
		r.start(t.Context())
		<-r.router.router.Running()
		r.subscriber.send(event1, nil, "{}")
		<-started
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		require.NoError(t, r.router.Close(ctx))
		require.NoError(t, <-r.end)
		require.NoError(t, broken, "its context went on")
		require.Equal(t, []result{{acked: true}}, r.subscriber.resultsOf(event1))
		r.stop()
	})
}

func TestClosingPastItsDeadlineLeavesRunningMessagesUnacknowledged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		started := make(chan struct{})
		handle := func(msg *message.Message) error {
			close(started)
			<-msg.Context().Done()
			return msg.Context().Err()
		}
		r := newFixture(t, Config{})
		require.NoError(t, r.router.AddConsumer("order-customers", []string{"events.user.>"}, r.subscriber, handle))
		r.start(t.Context())
		<-r.router.router.Running()
		r.subscriber.send(event1, nil, "{}")
		<-started
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		require.ErrorContains(t, r.router.Close(ctx), "shutdown deadline exceeded")
		require.ErrorContains(t, <-r.end, "shutdown deadline exceeded")
		synctest.Wait()
		require.Equal(t, []result{{unacknowledged: true}}, r.subscriber.resultsOf(event1))
		require.Empty(t, r.failures.counted())
		given, _ := r.failures.givenUp()
		require.Empty(t, given)
		r.stop()
	})
}

func TestFailureWhileClosingIsLeftUnacknowledged(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"invalid": errInvalid, "internal": errors.New("closed pool"), "away": errAway} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				started := make(chan struct{})
				handle := func(*message.Message) error {
					close(started)
					<-time.After(time.Second)
					return err
				}
				r := newFixture(t, Config{})
				require.NoError(t, r.router.AddConsumer("order-customers", []string{"events.user.>"}, r.subscriber, handle))
				r.start(t.Context())
				<-r.router.router.Running()
				r.subscriber.send(event1, nil, "{}")
				<-started
				r.stop() // the end of Run's ctx closes as Close does
				require.NoError(t, <-r.end)
				require.Equal(t, []result{{unacknowledged: true}}, r.subscriber.resultsOf(event1))
				require.Empty(t, r.failures.counted())
				given, _ := r.failures.givenUp()
				require.Empty(t, given)
			})
		})
	}
}

func TestClosingEndsRetriesAndPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		handle := func(*message.Message) error { calls.Add(1); return errors.New("again") }
		r := newFixture(t, Config{QuickBackoff: 5 * time.Second, HandlingLimit: 2 * time.Minute})
		require.NoError(t, r.router.AddConsumer("order-customers", []string{"events.user.>"}, r.subscriber, handle))
		r.start(t.Context())
		<-r.router.router.Running()
		r.subscriber.send(event1, nil, "{}")
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, r.router.Close(t.Context()))
		require.Less(t, time.Since(begin), time.Second)
		require.EqualValues(t, 1, calls.Load())
		require.Equal(t, []result{{unacknowledged: true}}, r.subscriber.resultsOf(event1))
		require.NoError(t, <-r.end)
		r.stop()
	})
}

func TestRunSubscribesOnceTheBrokerIsReachable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture(t, Config{})
		r.subscriber.setSubscribeErr(errors.New("no servers available"))
		require.NoError(t, r.router.AddConsumer("order-customers", []string{"events.user.>"}, r.subscriber, succeed))
		r.start(t.Context())
		<-time.After(time.Minute)
		require.Equal(t, 1, strings.Count(r.log.String(), "subscribe failed, retrying"))
		r.subscriber.setSubscribeErr(nil)
		<-r.router.router.Running()
		r.subscriber.send(event1, nil, "{}")
		eventually(t, time.Second, r.acked(event1))
		r.stop()
		require.NoError(t, <-r.end)
	})
}

func TestCloseReturnsInEveryState(t *testing.T) {
	t.Parallel()
	consume := func(t *testing.T, r *fixture) {
		t.Helper()
		require.NoError(t, r.router.AddConsumer("order-customers", []string{"events.user.>"}, r.subscriber, succeed))
	}
	t.Run("before Run", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			r := newFixture(t, Config{})
			consume(t, r)
			require.NoError(t, r.router.Close(t.Context()))
			require.NoError(t, r.router.Run(t.Context()))
		})
	})
	t.Run("while subscribing", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			r := newFixture(t, Config{})
			r.subscriber.setSubscribeErr(errors.New("no servers available"))
			consume(t, r)
			r.start(t.Context())
			<-time.After(time.Second)
			begin := time.Now()
			require.NoError(t, r.router.Close(t.Context()))
			require.NoError(t, <-r.end)
			require.Less(t, time.Since(begin), time.Second)
			r.stop()
		})
	})
	t.Run("without consumers, and twice", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			r := newFixture(t, Config{})
			r.start(t.Context())
			<-r.router.router.Running()
			require.NoError(t, r.router.Close(t.Context()))
			require.NoError(t, r.router.Close(t.Context()))
			require.NoError(t, <-r.end)
			r.stop()
		})
	})
}

func TestAddConsumerRejectsInvalidConsumers(t *testing.T) {
	t.Parallel()
	r := newFixture(t, Config{}).router
	none := func(*message.Message) error { return nil }
	require.Error(t, r.AddConsumer("order-customers", nil, newFakeSubscriber(), none))
	require.NoError(t, r.AddConsumer("order-customers", []string{"events.user.>"}, newFakeSubscriber(), none))
	require.ErrorContains(t, r.AddConsumer("order-customers", []string{"events.user.>"}, newFakeSubscriber(), none), "twice")
}

func TestServicesOfAProcessShareMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	for _, service := range []string{"user", "order", "event"} {
		_, err := New(Config{Service: service, Probe: func(context.Context) error { return nil }, Metrics: registry})
		require.NoError(t, err)
	}
}
