package natsjs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace/millrace/app/envelope"
)

// The streams, each with the subjects below its own first token.
const (
	Events  = envelope.StreamEvents
	Poison  = envelope.StreamPoison
	Requeue = envelope.StreamRequeue
)

// maxEvent refuses a foreign event so large that it could not be given up: what is said of a failure comes on top of it, and both must
// stay below the 1 MiB that servers take.
const maxEvent = 896 << 10

// duplicateWindow is how long a stream tells repeats by Nats-Msg-Id.
const duplicateWindow = 2 * time.Minute

// Streams says how the streams are kept. The zero value takes what stands or, for a new stream, one replica and no age limit.
type Streams struct {
	Replicas int           // of each stream; 0: as it stands
	MaxAge   time.Duration // of EVENTS; 0: as it stands
}

// definition is what a stream must be like; what it leaves open is kept as an operator set it.
//
// A message of REQUEUE has exactly one consumer: a work queue keeps it until that one acknowledges it, and no longer. An age limit would
// lose what waits for a consumer that is away. The other streams have several consumers and keep everything.
func definition(name string, s Streams) jetstream.StreamConfig {
	config := jetstream.StreamConfig{
		Name:       name,
		Subjects:   []string{strings.ToLower(name) + ".>"},
		Retention:  jetstream.LimitsPolicy,
		Discard:    jetstream.DiscardOld,
		Storage:    jetstream.FileStorage,
		Duplicates: duplicateWindow,
		Replicas:   s.Replicas,
	}
	switch name {
	case Events:
		config.MaxAge, config.MaxMsgSize = s.MaxAge, maxEvent
	case Requeue:
		config.Retention = jetstream.WorkQueuePolicy
	}
	return config
}

// EnsureStreams makes the named streams, or all three, as they must be. It may run in many replicas at once and never loses a message. A
// stream that is as it must be is left alone, so a service needs no right to change it. If one differs and cannot be changed, the log
// says how, once, and messages flow as far as the stream takes them.
func (c *Conn) EnsureStreams(ctx context.Context, s Streams, names ...string) error {
	if len(names) == 0 {
		names = []string{Events, Poison, Requeue}
	}
	for _, name := range names {
		if err := c.ensureStream(ctx, definition(name, s)); err != nil {
			return fmt.Errorf("provision stream %s: %w", name, err)
		}
	}
	return nil
}

func (c *Conn) ensureStream(ctx context.Context, want jetstream.StreamConfig) error {
	for {
		stream, err := c.js.Stream(ctx, want.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			_, err = c.js.CreateStream(ctx, want)
			if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
				continue // another replica was first, with another configuration: see whether it needs a change
			}
			return err
		}
		if err != nil {
			return err
		}
		have := stream.CachedInfo().Config
		merged, changed := merge(have, want)
		if changed {
			err = c.update(ctx, merged)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			have = merged
		}
		c.noteDifferences(ctx, subject{"stream", want.Name, "as the broker's administrator: nats stream edit " + want.Name},
			streamDifferences(have, want), err)
		return nil
	}
}

// updateTimeout bounds the wait for an answer that never comes: a server that forbids a request does not answer it.
const updateTimeout = 3 * time.Second

func (c *Conn) update(ctx context.Context, config jetstream.StreamConfig) error {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	_, err := c.js.UpdateStream(ctx, config)
	return err
}
