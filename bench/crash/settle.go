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

// durables are the consumers, by the stream that they read. One that was never made has nothing to do.
var durables = map[string][]string{
	"EVENTS":  {"order-customers", "event-history"},
	"REQUEUE": {"order-customers", "event-history"},
	"POISON":  {"event-poison"},
}

// settle waits until nothing is under way any more: every process works, every outbox is empty, every consumer has acknowledged
// everything, and every event of the history has its position. What still waits at the limit is stuck, which is a finding. last is
// what was waited for at the end.
func settle(ctx context.Context, c *system, s *stores, js jetstream.JetStream, limit time.Duration) (last string, err error) {
	if err := c.awaitReady(ctx); err != nil {
		return "", err
	}
	calm := 0
	last = "nothing"
	err = cluster.Eventually(ctx, limit, func(ctx context.Context) error {
		if err := waiting(ctx, s, js); err != nil {
			calm, last = 0, strings.ReplaceAll(err.Error(), "\n", ", ")
			return err
		}
		if calm++; calm < 5 { // a request that a paused process held may come to life between two looks
			return errors.New("not calm for long enough")
		}
		return nil
	})
	return last, err
}

// waiting tells what is still under way.
func waiting(ctx context.Context, s *stores, js jetstream.JetStream) error {
	var busy []error
	for _, service := range cluster.Services {
		n, err := s.count(ctx, service, "SELECT COUNT(*) FROM outbox WHERE published_at IS NULL")
		if err == nil && n > 0 {
			err = fmt.Errorf("%d rows wait in the outbox of %s", n, service)
		}
		busy = append(busy, err)
	}
	n, err := s.count(ctx, "event", "SELECT COUNT(*) FROM history WHERE position IS NULL")
	if err == nil && n > 0 {
		err = fmt.Errorf("%d events have no position", n)
	}
	busy = append(busy, err)
	for stream, names := range durables {
		for _, name := range names {
			busy = append(busy, consumerWaiting(ctx, js, stream, name))
		}
	}
	return errors.Join(busy...)
}

func consumerWaiting(ctx context.Context, js jetstream.JetStream, stream, name string) error {
	consumer, err := js.Consumer(ctx, stream, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) && stream != "EVENTS" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s in %s: %w", name, stream, err)
	}
	info := consumer.CachedInfo()
	if info.NumPending > 0 || info.NumAckPending > 0 {
		return fmt.Errorf("%s in %s: %d to be delivered, %d to be acknowledged", name, stream, info.NumPending, info.NumAckPending)
	}
	return nil
}

// ackWait is the longest time after which the broker gives a paused process's messages to another.
func ackWait(ctx context.Context, js jetstream.JetStream) (time.Duration, error) {
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
