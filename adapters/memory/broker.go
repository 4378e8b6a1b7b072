// Package memory is a broker within the process, for tests and for trying things out: streams, durable consumers, redelivery and
// order per key as on NATS, and nothing kept when the process ends.
package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace/app/envelope"
)

// Config says how the broker tells time.
type Config struct {
	DuplicateWindow time.Duration    // 0: 2 min
	Now             func() time.Time // nil: time.Now
}

// Broker holds the streams. All that work with it share one.
type Broker struct {
	config Config

	mu       sync.Mutex
	isClosed bool
	streams  map[string]*stream
}

// New makes an empty broker.
func New(config Config) *Broker {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.DuplicateWindow == 0 {
		config.DuplicateWindow = 2 * time.Minute
	}
	b := &Broker{config: config, streams: map[string]*stream{}}
	for _, name := range []string{envelope.StreamEvents, envelope.StreamPoison, envelope.StreamRequeue} {
		b.streams[name] = &stream{name: name, seen: map[string]uint64{}, durables: map[string]*durable{}}
	}
	return b
}

// ConsumerSpec describes a durable consumer.
type ConsumerSpec struct {
	Name    string
	Filters []string      // subjects, or patterns, of one stream
	AckWait time.Duration // how long a delivery may go unheard of before it is delivered again; 0: 30 s
}

// EnsureConsumer makes the durable, or gives the one that stands other filters. It is always complete: a stream in memory keeps
// its first message.
func (b *Broker) EnsureConsumer(_ context.Context, spec ConsumerSpec) (complete bool, err error) {
	if spec.Name == "" || len(spec.Filters) == 0 {
		return false, errors.New("a consumer needs a name and a filter")
	}
	name, err := envelope.StreamOf(spec.Filters[0])
	if err != nil {
		return false, fmt.Errorf("consumer %s: %w", spec.Name, err)
	}
	for _, filter := range spec.Filters {
		if of, err := envelope.StreamOf(filter); err != nil || of != name {
			return false, fmt.Errorf("consumer %s: filters of several streams", spec.Name)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.durableOn(b.streams[name], spec.Name)
	d.filters = slices.Clone(spec.Filters)
	if spec.AckWait > 0 {
		d.ackWait = spec.AckWait
	}
	return true, nil
}

// durableOn gives a stream's durable, and makes it where it is missing. The lock is held.
func (b *Broker) durableOn(s *stream, name string) *durable {
	d, found := s.durables[name]
	if !found {
		d = &durable{stream: s, name: name, ackWait: 30 * time.Second, pending: map[uint64]*outstanding{}, wakes: map[chan struct{}]struct{}{}}
		s.durables[name] = d
	}
	return d
}
