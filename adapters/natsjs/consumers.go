package natsjs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace/millrace/app/envelope"
)

const (
	defaultAckWait = 30 * time.Second
	// maxAckPending is large because messages that were put back count against it: a full window stops the whole consumer. What a
	// subscriber has in flight is bounded by what it asks for.
	maxAckPending = 20_000
)

var durableName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// ConsumerSpec describes a durable consumer.
type ConsumerSpec struct {
	Name    string        // without dots
	Filters []string      // subjects, or patterns, of one stream
	AckWait time.Duration // how long a delivery may go unheard of before it is delivered again; 0: 30 s
}

// EnsureConsumer makes the durable as it must be, on the stream that takes its subjects. A consumer that stands keeps its place.
// complete reports that the stream still began with its first message afterwards, so that the consumer gets each key's events
// from the first one on.
func (c *Conn) EnsureConsumer(ctx context.Context, spec ConsumerSpec) (complete bool, err error) {
	stream, want, err := spec.resolve()
	if err != nil {
		return false, err
	}
	if err := c.ensureConsumer(ctx, stream, want); err != nil {
		return false, fmt.Errorf("provision consumer %s on %s: %w", spec.Name, stream, err)
	}
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return false, fmt.Errorf("look at stream %s: %w", stream, err)
	}
	return s.CachedInfo().State.FirstSeq <= 1, nil
}

// resolve gives the stream and the configuration that a spec asks for.
func (s ConsumerSpec) resolve() (stream string, config jetstream.ConsumerConfig, err error) {
	if !durableName.MatchString(s.Name) {
		return "", config, fmt.Errorf("consumer name %q has other characters than letters, digits, - and _", s.Name)
	}
	for _, filter := range s.Filters {
		of, err := envelope.StreamOf(filter)
		if err != nil {
			return "", config, fmt.Errorf("consumer %s: %w", s.Name, err)
		}
		if stream != "" && of != stream {
			return "", config, fmt.Errorf("consumer %s: filters of several streams", s.Name)
		}
		stream = of
	}
	if stream == "" {
		return "", config, fmt.Errorf("consumer %s: no filter", s.Name)
	}
	config = jetstream.ConsumerConfig{
		Durable:       s.Name,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       cmp.Or(s.AckWait, defaultAckWait),
		MaxDeliver:    -1,
		MaxAckPending: maxAckPending,
	}
	if len(s.Filters) == 1 {
		config.FilterSubject = s.Filters[0] // which is also part of the request's subject, and of a user's permissions
	} else {
		config.FilterSubjects = slices.Clone(s.Filters)
	}
	return stream, config, nil
}

func (c *Conn) ensureConsumer(ctx context.Context, stream string, want jetstream.ConsumerConfig) error {
	existing, err := c.js.Consumer(ctx, stream, want.Durable)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		_, err = c.make(ctx, stream, want)
	case isPush(err):
		c.pushed(ctx, stream, want.Durable, err)
		return nil // told, and not to be read: nothing is gained by trying again
	case err == nil:
		_, err = c.correct(ctx, stream, existing.CachedInfo(), want)
	}
	return err
}

// ensureMissing makes the durable only where it is missing, and returns its configuration. One that stands may read more than this
// subscription names.
func (c *Conn) ensureMissing(ctx context.Context, stream string, want jetstream.ConsumerConfig) (jetstream.ConsumerConfig, error) {
	existing, err := c.js.Consumer(ctx, stream, want.Durable)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		return c.make(ctx, stream, want)
	case err != nil:
		return want, err
	}
	have := existing.CachedInfo()
	want.FilterSubject, want.FilterSubjects, want.AckWait = have.Config.FilterSubject, have.Config.FilterSubjects, have.Config.AckWait
	return c.correct(ctx, stream, have, want)
}

// make makes a durable that is missing. What the server puts into it by itself is compared as well: it may have limits of its own.
func (c *Conn) make(ctx context.Context, stream string, want jetstream.ConsumerConfig) (jetstream.ConsumerConfig, error) {
	made, err := c.js.CreateOrUpdateConsumer(ctx, stream, want)
	if err != nil {
		return want, err
	}
	c.passedOver.Delete(stream + "." + want.Durable) // it delivers from the first message
	c.noteConsumer(ctx, stream, want.Durable, c.compare(made.CachedInfo(), want), nil)
	return made.CachedInfo().Config, nil
}
