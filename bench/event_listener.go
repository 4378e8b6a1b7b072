package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/millrace/millrace/bench/cluster"
)

const correlationPrefix = "bench-"

// correlationID returns the correlation ID of the i-th request of an open loop. Its event carries the same ID.
func correlationID(i int) string { return correlationPrefix + strconv.Itoa(i) }

// eventListener is a NATS subscriber that records when it receives each event.
type eventListener struct {
	conn *nats.Conn

	mu         sync.Mutex
	receivedAt map[string]time.Time // by correlation ID
}

// listenForEvents subscribes to subject. header is the name of the header with the correlation ID.
func listenForEvents(url, subject, header string) (*eventListener, error) {
	conn, err := nats.Connect(url)
	if err != nil {
		return nil, err
	}
	l := &eventListener{conn: conn, receivedAt: map[string]time.Time{}}
	_, err = conn.Subscribe(subject, func(m *nats.Msg) {
		now := time.Now()
		l.mu.Lock()
		defer l.mu.Unlock()
		if id := m.Header.Get(header); strings.HasPrefix(id, correlationPrefix) && l.receivedAt[id].IsZero() {
			l.receivedAt[id] = now
		}
	})
	if err == nil {
		err = conn.Flush()
	}
	if err != nil {
		conn.Close()
	}
	return l, err
}

// await waits until the events of all requests were received. For each it returns the time from when the request was due.
func (l *eventListener) await(ctx context.Context, due []time.Time) (latencies []time.Duration, err error) {
	latencies = make([]time.Duration, len(due))
	err = cluster.Eventually(ctx, 30*time.Second, func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for i := range due {
			at, received := l.receivedAt[correlationID(i)]
			if !received {
				return fmt.Errorf("event %d was not received", i)
			}
			latencies[i] = at.Sub(due[i])
		}
		return nil
	})
	return latencies, err
}

func (l *eventListener) close() { l.conn.Close() }
