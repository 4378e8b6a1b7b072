package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace/millrace/bench/cluster"
)

// durables are the names of the durable consumers by stream.
var durables = map[string][]string{
	"EVENTS":  {"order-customers", "event-history"},
	"REQUEUE": {"order-customers", "event-history"},
	"POISON":  {"event-poison"},
}

// awaitIdle waits until the system is idle: every process is ready, every outbox is empty, every consumer has acknowledged all its
// messages, and every event of the history has a position. It returns an error after limit. lastPending describes the last work that
// was pending.
func awaitIdle(
	ctx context.Context, s *system, d *databases, js jetstream.JetStream, limit time.Duration,
) (lastPending string, err error) {
	if err := s.awaitReady(ctx); err != nil {
		return "", err
	}
	idlePolls := 0
	lastPending = "nothing"
	err = cluster.Eventually(ctx, limit, func(ctx context.Context) error {
		if err := checkIdle(ctx, d, js); err != nil {
			idlePolls, lastPending = 0, strings.ReplaceAll(err.Error(), "\n", ", ")
			return err
		}
		if idlePolls++; idlePolls < 5 { // a process that was paused may still continue a request
			return errors.New("not idle for long enough")
		}
		return nil
	})
	return lastPending, err
}

// checkIdle returns an error that describes the pending work, or nil if there is none.
func checkIdle(ctx context.Context, d *databases, js jetstream.JetStream) error {
	var pending []error
	for _, service := range cluster.Services {
		n, err := d.count(ctx, service, "SELECT COUNT(*) FROM outbox WHERE published_at IS NULL")
		if err == nil && n > 0 {
			err = fmt.Errorf("%d unpublished rows in the outbox of %s", n, service)
		}
		pending = append(pending, err)
	}
	n, err := d.count(ctx, "event", "SELECT COUNT(*) FROM history WHERE position IS NULL")
	if err == nil && n > 0 {
		err = fmt.Errorf("%d events without a position", n)
	}
	pending = append(pending, err)
	for stream, names := range durables {
		for _, name := range names {
			pending = append(pending, checkConsumerIdle(ctx, js, stream, name))
		}
	}
	return errors.Join(pending...)
}

// checkConsumerIdle returns an error if a consumer has messages that are not acknowledged. Except for EVENTS, a consumer that does not
// exist is idle.
func checkConsumerIdle(ctx context.Context, js jetstream.JetStream, stream, name string) error {
	consumer, err := js.Consumer(ctx, stream, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) && stream != "EVENTS" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s in %s: %w", name, stream, err)
	}
	info := consumer.CachedInfo()
	if info.NumPending > 0 || info.NumAckPending > 0 {
		return fmt.Errorf("%s in %s: %d undelivered, %d unacknowledged", name, stream, info.NumPending, info.NumAckPending)
	}
	return nil
}

// longestAckWait returns the longest ack wait of the consumers of EVENTS. After it the broker redelivers a paused process's messages.
func longestAckWait(ctx context.Context, js jetstream.JetStream) (time.Duration, error) {
	var longest time.Duration
	for _, name := range durables["EVENTS"] {
		consumer, err := js.Consumer(ctx, "EVENTS", name)
		if err != nil {
			return 0, err
		}
		longest = max(longest, consumer.CachedInfo().Config.AckWait)
	}
	return longest, nil
}
