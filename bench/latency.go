package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/bench/cluster"
)

// The open loop: requests begin when they are due, whether the ones before have ended or not.
const (
	openRate    = 100 // per second
	openWorkers = 32
	pollPause   = 100 * time.Millisecond // of the relay that Millrace's is compared with
)

// measureLatency places 100 orders a second and looks when each one's event arrives at a subscriber outside. Beside it, at the same
// rate on the same machine, a relay that polls its outbox.
func measureLatency(ctx context.Context, l *lab) error {
	l.say("latency: %d orders/s", openRate)
	s, err := l.startSplit(ctx, "user", "order", "event")
	if err != nil {
		return err
	}
	err = s.compareLatency(ctx)
	return errors.Join(err, s.stop())
}

func (s *system) compareLatency(ctx context.Context) error {
	ours, answers, err := s.ordersUntilHeard(ctx)
	if err != nil {
		return err
	}
	if _, err := s.settle(ctx); err != nil {
		return err
	}
	theirs, err := s.pollingUntilHeard(ctx)
	if err != nil {
		return err
	}
	for _, p := range []struct{ percent, limit int }{{50, 10}, {90, 0}, {99, 50}} {
		f := figure{
			Section: "latency", What: fmt.Sprintf("request start to an outside subscriber at %d orders/s, p%d", openRate, p.percent),
			Value: ms(percentile(ours, p.percent)), Unit: "ms",
			Notes: map[string]float64{"events": float64(len(ours)), "answer ms": ms(percentile(answers, p.percent))},
		}.besides("relay polling every 100 ms", ms(percentile(theirs, p.percent)))
		if p.limit > 0 {
			f = f.aims(fmt.Sprintf("< %d ms", p.limit), f.Value < float64(p.limit))
		}
		s.lab.add(f)
	}
	return nil
}

// ordersUntilHeard places orders and gives how long each one's event took from the moment when its request was due, and how long the
// answer did.
func (s *system) ordersUntilHeard(ctx context.Context) (heard, answered []time.Duration, err error) {
	tokens, err := s.customers(ctx, 8)
	if err != nil {
		return nil, nil, err
	}
	ear, err := listen(s.natsURL, contract.Topic(contract.TypeOrderPlaced), contract.MetaCorrelation)
	if err != nil {
		return nil, nil, err
	}
	defer ear.close()
	address := s.of("order").Address
	callers := make(chan *caller, openWorkers)
	for range openWorkers {
		c, err := dial(ctx, address)
		if err != nil {
			return nil, nil, err
		}
		defer c.close()
		callers <- c
	}
	run := func(ctx context.Context, first, n int) (due []time.Time, took []time.Duration, err error) {
		return open(ctx, n, func(i int) error {
			c := <-callers
			defer func() { callers <- c }()
			return c.place(placing(address, tokens[i%len(tokens)], mark(first+i)))
		})
	}
	if _, _, err := run(ctx, -openRate-1, openRate); err != nil { // the first second does not count
		return nil, nil, err
	}
	due, answered, err := run(ctx, 0, s.lab.openCount())
	if err != nil {
		return nil, nil, err
	}
	heard, err = ear.await(ctx, due)
	return heard, answered, err
}

// openCount is how many requests the open loop makes.
func (l *lab) openCount() int {
	if l.quick {
		return 3 * openRate
	}
	return 30 * openRate
}

// open does n things at the rate of the open loop. It gives when each one was due, and how long it took from then on.
func open(ctx context.Context, n int, do func(i int) error) (due []time.Time, took []time.Duration, err error) {
	due, took = make([]time.Time, n), make([]time.Duration, n)
	failed := make([]error, n)
	var all sync.WaitGroup
	begin := time.Now().Add(50 * time.Millisecond)
	for i := range n {
		due[i] = begin.Add(time.Duration(i) * time.Second / openRate)
		if !cluster.Sleep(ctx, time.Until(due[i])) {
			break
		}
		all.Go(func() {
			failed[i] = do(i)
			took[i] = time.Since(due[i])
		})
	}
	all.Wait()
	return due, took, errors.Join(errors.Join(failed...), ctx.Err())
}

// mark names the i-th thing of an open loop in the metadata of its event.
func mark(i int) string { return "bench-" + strconv.Itoa(i) }

// ear is a plain subscriber outside, which notes when it hears what.
type ear struct {
	conn *nats.Conn

	mu sync.Mutex
	at map[string]time.Time
}

// listen subscribes to subject; what arrives is told apart by a header.
func listen(url, subject, header string) (*ear, error) {
	conn, err := nats.Connect(url)
	if err != nil {
		return nil, err
	}
	e := &ear{conn: conn, at: map[string]time.Time{}}
	_, err = conn.Subscribe(subject, func(m *nats.Msg) {
		now := time.Now()
		e.mu.Lock()
		defer e.mu.Unlock()
		if id := m.Header.Get(header); strings.HasPrefix(id, "bench-") && e.at[id].IsZero() {
			e.at[id] = now
		}
	})
	if err == nil {
		err = conn.Flush()
	}
	if err != nil {
		conn.Close()
	}
	return e, err
}

// await waits until everything was heard and gives how long each thing took from when it was due.
func (e *ear) await(ctx context.Context, due []time.Time) (took []time.Duration, err error) {
	took = make([]time.Duration, len(due))
	err = cluster.Eventually(ctx, 30*time.Second, func(context.Context) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		for i := range due {
			at, heard := e.at[mark(i)]
			if !heard {
				return fmt.Errorf("event %d was not heard", i)
			}
			took[i] = at.Sub(due[i])
		}
		return nil
	})
	return took, err
}

func (e *ear) close() { e.conn.Close() }
