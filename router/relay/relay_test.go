package relay

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/outbox"
)

// fixture is an outbox, a broker, and the relays that were started between them.
type fixture struct {
	outbox   *memoryOutbox
	broker   *fakeBroker
	registry *prometheus.Registry
	log      *logBuffer
	relay    *Relay // the last one that was started
}

func newFixture() *fixture {
	return &fixture{outbox: newMemoryOutbox(), broker: newFakeBroker(), registry: prometheus.NewRegistry(), log: &logBuffer{}}
}

// start runs a relay until stop is called, which returns when it has ended.
func (r *fixture) start(t *testing.T, change func(*Config)) (stop func()) {
	t.Helper()
	cfg := Config{
		Service: "order", Holder: "one", Outbox: r.outbox, Broker: r.broker,
		Metrics: r.registry, Logger: slog.New(slog.NewTextHandler(r.log, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	relay, err := New(cfg)
	require.NoError(t, err)
	r.relay = relay
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = relay.Run(ctx) // always nil
	}()
	return func() {
		cancel()
		<-done
	}
}

// drained reports that nothing waits.
func (r *fixture) drained() bool { return r.outbox.waiting() == 0 }

// requireOrder proves that the rows of each key are in the stream in sequence, each once.
func (r *fixture) requireOrder(t *testing.T, keys map[string]int) {
	t.Helper()
	next := map[string]int{}
	for place, s := range r.broker.contents() {
		next[s.key]++
		require.Equal(t, strconv.Itoa(next[s.key]), s.sequence, "key %s at place %d", s.key, place)
	}
	require.Equal(t, keys, next)
}

// gauge reads a metric of the service.
func (r *fixture) gauge(t *testing.T, name string) float64 {
	t.Helper()
	families, err := r.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if m := family.GetMetric(); family.GetName() == name && len(m) == 1 {
			return m[0].GetGauge().GetValue() + m[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestRelayPublishesImmediatelyAfterACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		stop := r.start(t, nil)
		<-time.After(100 * time.Millisecond)
		p := r.outbox.add("a", 1)
		<-time.After(4 * time.Millisecond)
		require.Len(t, r.broker.contents(), 1, "the commit woke it")
		eventually(t, 40*time.Millisecond, r.drained)
		sequence, times := r.outbox.mark(p.ID)
		require.EqualValues(t, 1, sequence)
		require.Equal(t, 1, times)
		require.InDelta(t, 1, r.gauge(t, "millrace_relay_lease"), 0)
		require.InDelta(t, 1, r.gauge(t, "millrace_outbox_published_total"), 0)
		stop()
		require.Zero(t, r.gauge(t, "millrace_relay_lease"))
	})
}

// Many writers, each with a key of its own, commit in another order than they draw IDs, some two rows at once; pages are far
// smaller than what waits.
func TestRowsThatCommitOutOfOrderAreAllPublished(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newFixture()
				r.outbox.latency = time.Millisecond // so that the pages of a pass show different moments
				r.broker.latency = 5 * time.Millisecond
				stop := r.start(t, func(c *Config) { c.PageSize, c.MaxInFlight, c.AckBatch = 5, 40, 7 })
				keys := map[string]int{}
				var writers sync.WaitGroup
				for w := range 24 {
					key, rows := fmt.Sprintf("key-%d", w), 60
					keys[key] = rows
					writers.Go(func() {
						random := rand.New(rand.NewPCG(seed, uint64(w)))
						pause := func() { <-time.After(time.Duration(random.IntN(4000)) * time.Microsecond) }
						for n := 1; n <= rows; {
							tx := []outbox.Pending{r.outbox.newRow(key, int64(n))}
							n++
							if n <= rows && random.IntN(3) == 0 {
								pause()
								tx = append(tx, r.outbox.newRow(key, int64(n)))
								n++
							}
							pause()
							r.outbox.commit(tx...)
						}
					})
				}
				writers.Wait()
				eventually(t, 10*time.Second, r.drained)
				r.requireOrder(t, keys)
				for id := range r.outbox.lastID {
					_, times := r.outbox.mark(id + 1)
					require.Equal(t, 1, times, "row %d", id+1)
					require.Equal(t, 1, r.broker.sendsOf("m"+strconv.FormatInt(id+1, 10)), "row %d was sent once", id+1)
				}
				stop()
			})
		})
	}
}

func TestExactlyTheAcknowledgedRowsAreMarked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		random := rand.New(rand.NewPCG(1, 2))
		r.broker.setResponse(func(_ string, n int) response {
			if n > 6 {
				return storeAndAck
			}
			return response(random.IntN(3))
		})
		stop := r.start(t, func(c *Config) { c.PageSize = 20 })
		keys := map[string]int{}
		for key := range 30 {
			name := fmt.Sprintf("key-%d", key)
			keys[name] = 5
			for n := range int64(5) {
				r.outbox.add(name, n+1)
			}
		}
		for range 1000 {
			<-time.After(40 * time.Millisecond)
			contents := r.broker.contents()
			for id := range r.outbox.lastID {
				name := "m" + strconv.FormatInt(id+1, 10)
				if sequence, _ := r.outbox.mark(id + 1); sequence != 0 {
					require.True(t, r.broker.acknowledged(name))
					require.Equal(t, name, contents[sequence-1].id, "the mark is the place of its message")
				}
			}
			if r.drained() {
				break
			}
		}
		require.True(t, r.drained())
		r.requireOrder(t, keys)
		stop()
	})
}

func TestFailingRowBlocksOnlyItsKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		var refused atomic.Bool
		refused.Store(true)
		bad := map[string]bool{}
		for n := range int64(50) { // many more than a page
			p := r.outbox.add("bad", n+1)
			if n == 0 {
				bad[p.MessageID] = true
			}
		}
		for n := range 20 { // keys whose only rows are refused: a page full of held keys
			bad[r.outbox.add(fmt.Sprintf("bad-%d", n), 1).MessageID] = true
		}
		for n := range int64(10) {
			r.outbox.add("good", n+1)
		}
		r.broker.setResponse(func(id string, _ int) response {
			if bad[id] && refused.Load() {
				return refuse
			}
			return storeAndAck
		})
		stop := r.start(t, func(c *Config) { c.PageSize = 5 })
		eventually(t, time.Second, func() bool { return r.outbox.waiting() == 70 })
		r.requireOrder(t, map[string]int{"good": 10})
		<-time.After(time.Minute)
		late := r.outbox.add("late", 1)
		eventually(t, time.Second, func() bool { s, _ := r.outbox.mark(late.ID); return s != 0 })
		require.Equal(t, 70, r.outbox.waiting())
		require.InDelta(t, 21, r.gauge(t, "millrace_outbox_held_keys"), 0)
		for id := range bad {
			require.Less(t, r.broker.sendsOf(id), 15, "its pauses grow, from one publish session to the next")
		}
		refused.Store(false)
		eventually(t, failMax+10*time.Second, r.drained)
		contents := r.broker.contents()
		require.Len(t, contents, 81)
		stop()
	})
}

func TestLostAcknowledgementIsRetriedUnderTheSameID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		r.broker.setResponse(func(_ string, n int) response {
			if n == 1 {
				return storeAndLoseAck
			}
			return storeAndAck
		})
		p := r.outbox.newRow("a", 1)
		p.MessageID = "poison-7" // not the event's own ID
		r.outbox.commit(p)
		stop := r.start(t, nil)
		eventually(t, time.Second, r.drained)
		require.Equal(t, 2, r.broker.sendsOf("poison-7"))
		require.Len(t, r.broker.contents(), 1)
		sequence, _ := r.outbox.mark(p.ID)
		require.EqualValues(t, 1, sequence)
		stop()
	})
}

func TestWritesContinueWhileTheBrokerIsUnreachable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		stop := r.start(t, nil)
		r.outbox.add("a", 1)
		eventually(t, time.Second, r.drained)
		r.broker.disconnect()
		<-time.After(time.Second)
		reads := r.outbox.readsSoFar()
		keys := map[string]int{"a": 1}
		for n := range 1000 {
			key := fmt.Sprintf("key-%d", n%50)
			keys[key]++
			r.outbox.add(key, int64(keys[key]))
			<-time.After(100 * time.Millisecond)
		}
		require.Zero(t, r.broker.sentWhileAway, "nothing is sent into the void")
		require.Equal(t, reads, r.outbox.readsSoFar(), "nor read")
		require.Equal(t, 1000, r.outbox.waiting())
		r.broker.reconnect(0)
		eventually(t, time.Second, r.drained)
		r.requireOrder(t, keys)
		require.Equal(t, []string{"one"}, r.outbox.taken, "it kept the lease")
		stop()
	})
}

func TestConnectionLossUnderLoadLosesAndReordersNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		r.broker.latency = 20 * time.Millisecond
		stop := r.start(t, func(c *Config) { c.PageSize = 50 })
		keys := map[string]int{}
		var writer sync.WaitGroup
		writer.Go(func() {
			for n := range 3000 {
				key := fmt.Sprintf("key-%d", n%7)
				keys[key]++
				r.outbox.add(key, int64(keys[key]))
				<-time.After(time.Millisecond)
			}
		})
		for range 5 {
			<-time.After(300 * time.Millisecond)
			r.broker.disconnect()
			<-time.After(150 * time.Millisecond)
			r.broker.reconnect(0)
		}
		writer.Wait()
		eventually(t, 30*time.Second, r.drained)
		r.requireOrder(t, keys)
		stop()
	})
}

func TestMessagesLostByTheBrokerAreRepublished(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]int{"nothing": 0, "some": 7, "more than a step": tailStep + 50, "everything": 300} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newFixture()
				stop := r.start(t, nil)
				keys := map[string]int{}
				add := func(n int) {
					key := fmt.Sprintf("key-%d", n%9)
					keys[key]++
					r.outbox.add(key, int64(keys[key]))
				}
				for n := range 300 {
					add(n)
				}
				eventually(t, 5*time.Second, r.drained)
				r.broker.disconnect()
				for n := range 50 {
					add(n)
				}
				<-time.After(100 * time.Millisecond)
				r.broker.reconnect(lost)
				eventually(t, 5*time.Second, r.drained)
				r.requireOrder(t, keys)
				require.InDelta(t, lost, r.gauge(t, "millrace_outbox_unmarked_total"), 0)
				stop()
			})
		})
	}
}

func TestTakeoverReconcilesTheTail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		stop := r.start(t, nil)
		for n := range int64(20) {
			r.outbox.add("a", n+1)
		}
		eventually(t, time.Second, r.drained)
		stop()
		r.broker.reconnect(5)
		stop = r.start(t, func(c *Config) { c.Holder = "two" })
		eventually(t, time.Second, func() bool { return len(r.broker.contents()) == 20 })
		r.requireOrder(t, map[string]int{"a": 20})
		stop()
	})
}

// partitionedOutbox is an outbox as a process sees it that stopped, or was cut off: its statements do not come back.
type partitionedOutbox struct {
	*memoryOutbox

	cut chan struct{}
}

func (p *partitionedOutbox) hang(ctx context.Context) error {
	select {
	case <-p.cut:
		<-ctx.Done()
		return ctx.Err()
	default:
		return nil
	}
}

func (p *partitionedOutbox) Acquire(ctx context.Context, holder string, ttl time.Duration) (int64, bool, error) {
	if err := p.hang(ctx); err != nil {
		return 0, false, err
	}
	return p.memoryOutbox.Acquire(ctx, holder, ttl)
}

func (p *partitionedOutbox) Renew(ctx context.Context, epoch int64, ttl time.Duration) error {
	if err := p.hang(ctx); err != nil {
		return err
	}
	return p.memoryOutbox.Renew(ctx, epoch, ttl)
}

func (p *partitionedOutbox) Pending(ctx context.Context, streams []string, after int64, limit int) ([]outbox.Pending, bool, error) {
	if err := p.hang(ctx); err != nil {
		return nil, false, err
	}
	return p.memoryOutbox.Pending(ctx, streams, after, limit)
}

func (p *partitionedOutbox) Mark(ctx context.Context, epoch int64, rows []outbox.Published) error {
	if err := p.hang(ctx); err != nil {
		return err
	}
	return p.memoryOutbox.Mark(ctx, epoch, rows)
}

func TestAnotherRelayTakesOverWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		dying := &partitionedOutbox{memoryOutbox: r.outbox, cut: make(chan struct{})}
		stopOne := r.start(t, func(c *Config) { c.Outbox = dying })
		<-time.After(10 * time.Millisecond)
		stopTwo := r.start(t, func(c *Config) { c.Holder = "two" })
		<-time.After(10700 * time.Millisecond)
		require.Equal(t, []string{"one"}, r.outbox.taken, "as long as it lives")
		close(dying.cut)
		died := time.Now()
		for n := range int64(10) {
			r.outbox.add("a", n+1)
		}
		eventually(t, 5*time.Second, func() bool { return len(r.broker.contents()) > 0 })
		require.Less(t, time.Since(died), 5*time.Second)
		eventually(t, time.Second, r.drained)
		require.Equal(t, []string{"one", "two"}, r.outbox.taken)
		r.requireOrder(t, map[string]int{"a": 10})
		stopOne()
		stopTwo()
	})
}

func TestStoppedRelayReleasesItsLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		r.broker.latency = 200 * time.Millisecond
		stopOne := r.start(t, nil)
		<-time.After(10 * time.Millisecond)
		stopTwo := r.start(t, func(c *Config) { c.Holder = "two" })
		p := r.outbox.add("a", 1)
		<-time.After(50 * time.Millisecond)
		stopOne()
		sequence, _ := r.outbox.mark(p.ID)
		require.EqualValues(t, 1, sequence, "it waited for the acknowledgement and marked it")
		r.outbox.add("a", 2)
		eventually(t, time.Second, r.drained)
		require.Equal(t, []string{"one", "two"}, r.outbox.taken)
		require.Equal(t, 1, r.broker.sendsOf(p.MessageID))
		stopTwo()
	})
}

// A process that was stopped for longer than its lease finds its clock far ahead when it goes on, before any timer has told it.
func TestProcessPausedLongerThanItsLeasePublishesAndMarksNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rows, sent int
		arrange    func(outbox *pausingOutbox, broker *pausingBroker, pause func())
	}{
		"between reading and publishing": {3, 0, func(outbox *pausingOutbox, _ *pausingBroker, pause func()) { outbox.read = pause }},
		"between two rows of a page":     {3, 1, func(_ *pausingOutbox, broker *pausingBroker, pause func()) { broker.sent = pause }},
		"when the acknowledgement comes": {1, 1, func(_ *pausingOutbox, broker *pausingBroker, pause func()) { broker.acked = pause }},
		"between acknowledgement and mark": {1, 1, func(_ *pausingOutbox, broker *pausingBroker, pause func()) {
			broker.acked = func() { time.AfterFunc(2*time.Millisecond, pause) }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newFixture()
				var ahead atomic.Int64 // the time that passed while the process stood still
				now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
				r.outbox.now = now
				for n := range tc.rows {
					r.outbox.add(strconv.Itoa(n), 1)
				}
				var once sync.Once
				pause := func() {
					once.Do(func() {
						ahead.Store(int64(10 * time.Second))
						_, _, _ = r.outbox.Acquire(context.WithoutCancel(t.Context()), "two", time.Hour) // looked at below
					})
				}
				outbox := &pausingOutbox{memoryOutbox: r.outbox, read: func() {}}
				broker := &pausingBroker{fakeBroker: r.broker, sent: func() {}, acked: func() {}}
				tc.arrange(outbox, broker, pause)
				stop := r.start(t, func(c *Config) { c.Outbox, c.Broker, c.Now = outbox, broker, now })
				<-time.After(time.Minute)
				require.Equal(t, []string{"one", "two"}, r.outbox.taken, "it was paused and lost the lease")
				require.Len(t, r.broker.contents(), tc.sent)
				require.Zero(t, outbox.marks.Load(), "no mark was even tried")
				require.Equal(t, tc.rows, r.outbox.waiting())
				stop()
			})
		})
	}
}

// pausingOutbox pauses the process between the database's answer and what follows, and counts attempts to mark.
type pausingOutbox struct {
	*memoryOutbox

	read  func()
	marks atomic.Int32
}

func (p *pausingOutbox) Pending(ctx context.Context, streams []string, after int64, limit int) ([]outbox.Pending, bool, error) {
	rows, more, err := p.memoryOutbox.Pending(ctx, streams, after, limit)
	p.read()
	return rows, more, err
}

func (p *pausingOutbox) Mark(ctx context.Context, epoch int64, rows []outbox.Published) error {
	p.marks.Add(1)
	return p.memoryOutbox.Mark(ctx, epoch, rows)
}

// pausingBroker pauses the process after a publication, or when its acknowledgement arrives.
type pausingBroker struct {
	*fakeBroker

	sent, acked func()
}

func (p *pausingBroker) PublishAsync(topic string, msg *message.Message, done func(uint64, error)) {
	p.fakeBroker.PublishAsync(topic, msg, func(sequence uint64, err error) {
		p.acked()
		done(sequence, err)
	})
	p.sent()
}

func TestNothingIsPublishedAfterTheConnectionIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		for n := range 50 {
			r.outbox.add(strconv.Itoa(n), 1)
		}
		broker := &pausingBroker{fakeBroker: r.broker, sent: r.broker.disconnect, acked: func() {}}
		stop := r.start(t, func(c *Config) { c.Broker = broker })
		<-time.After(time.Minute)
		require.Len(t, r.broker.contents(), 1)
		require.Zero(t, r.broker.sentWhileAway)
		stop()
	})
}

// flakyOutbox fails marks while told so.
type flakyOutbox struct {
	*memoryOutbox

	failing atomic.Bool
}

func (f *flakyOutbox) Mark(ctx context.Context, epoch int64, rows []outbox.Published) error {
	if f.failing.Load() {
		return errAway
	}
	return f.memoryOutbox.Mark(ctx, epoch, rows)
}

func TestRowWithAPendingMarkIsNotRepublished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		outbox := &flakyOutbox{memoryOutbox: r.outbox}
		outbox.failing.Store(true)
		stop := r.start(t, func(c *Config) { c.Outbox = outbox })
		p := r.outbox.add("a", 1)
		q := r.outbox.add("a", 2)
		<-time.After(time.Minute)
		require.Equal(t, 1, r.broker.sendsOf(p.MessageID))
		require.Equal(t, 1, r.broker.sendsOf(q.MessageID), "the next one waits for the acknowledgement only")
		outbox.failing.Store(false)
		eventually(t, 2*time.Second, r.drained)
		stop()
	})
}

func TestPublishedRowsArePurgedOnlyWhileConnected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		stop := r.start(t, func(c *Config) { c.PurgeBatch = 10 })
		for n := range int64(95) {
			r.outbox.add("a", n+1)
		}
		eventually(t, time.Second, r.drained)
		<-time.After(30 * time.Minute)
		r.broker.disconnect()
		r.outbox.add("a", 96)
		<-time.After(time.Hour)
		require.Len(t, r.outbox.rows, 96)
		r.broker.reconnect(0)
		eventually(t, 10*time.Second, func() bool {
			r.outbox.mu.Lock()
			defer r.outbox.mu.Unlock()
			return len(r.outbox.rows) == 1
		})
		eventually(t, 10*time.Second, r.drained)
		stop()
	})
}

func TestIdleRelayReadsLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		stop := r.start(t, nil)
		<-time.After(10 * time.Second)
		require.LessOrEqual(t, r.outbox.readsSoFar(), 45)
		reads := r.outbox.readsSoFar()
		for range 1000 { // a commit each 100 µs
			p := r.outbox.newRow("", 0)
			r.outbox.commit(p)
			<-time.After(100 * time.Microsecond)
		}
		require.LessOrEqual(t, r.outbox.readsSoFar()-reads, 40, "commits are gathered")
		eventually(t, time.Second, r.drained)
		stop()
	})
}

func TestNewRejectsIncompleteConfig(t *testing.T) {
	t.Parallel()
	good := Config{Service: "order", Holder: "one", Outbox: newMemoryOutbox(), Broker: newFakeBroker()}
	_, err := New(good)
	require.NoError(t, err)
	for _, change := range []func(*Config){
		func(c *Config) { c.Service = "" },
		func(c *Config) { c.Holder = "" },
		func(c *Config) { c.Outbox = nil },
		func(c *Config) { c.Broker = nil },
		func(c *Config) { c.RenewInterval = c.LeaseTTL + 4*time.Second },
	} {
		cfg := good
		change(&cfg)
		_, err := New(cfg)
		require.Error(t, err)
	}
}
