package natsjs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Limits of a durable on one request that this client can keep to.
const (
	leastExpires = time.Second
	leastWaiting = 64 // requests of all replicas
)

// mergeConsumer puts what the durable must have into the configuration of one that stands, as far as a server changes it. Its place stays.
func mergeConsumer(have, want jetstream.ConsumerConfig) jetstream.ConsumerConfig {
	merged := have
	merged.FilterSubject, merged.FilterSubjects = want.FilterSubject, want.FilterSubjects
	merged.AckWait, merged.BackOff, merged.MaxDeliver, merged.MaxAckPending = want.AckWait, nil, want.MaxDeliver, want.MaxAckPending
	merged.HeadersOnly, merged.RateLimit, merged.InactiveThreshold = false, 0, 0
	merged.MaxRequestBatch, merged.MaxRequestExpires, merged.MaxRequestMaxBytes = 0, 0, 0
	merged.PriorityPolicy, merged.PriorityGroups, merged.PinnedTTL = want.PriorityPolicy, nil, 0
	return merged
}

// consumerDifferences compares every field that decides whether each message is delivered, whole, and until it is acknowledged. largest is
// what the server takes as one message.
func consumerDifferences(have, want jetstream.ConsumerConfig, paused bool, largest int64) (found comparison) {
	found.add(have.AckPolicy != want.AckPolicy, "ack_policy", have.AckPolicy, want.AckPolicy)
	found.add(have.DeliverPolicy != want.DeliverPolicy, "deliver_policy", have.DeliverPolicy, want.DeliverPolicy)
	found.add(have.ReplayPolicy != want.ReplayPolicy, "replay_policy", have.ReplayPolicy, want.ReplayPolicy)
	found.add(have.DeliverSubject != "", "deliver_subject", have.DeliverSubject, "none")
	found.add(have.FilterSubject != want.FilterSubject, "filter_subject", have.FilterSubject, want.FilterSubject)
	found.add(!slices.Equal(have.FilterSubjects, want.FilterSubjects), "filter_subjects", have.FilterSubjects, want.FilterSubjects)
	found.add(have.AckWait != want.AckWait, "ack_wait", have.AckWait, want.AckWait)
	found.add(len(have.BackOff) > 0, "backoff", have.BackOff, "none")
	found.add(have.MaxDeliver > 0, "max_deliver", have.MaxDeliver, want.MaxDeliver)
	found.add(have.MaxAckPending > 0 && have.MaxAckPending < want.MaxAckPending, "max_ack_pending", have.MaxAckPending, want.MaxAckPending)
	found.add(have.HeadersOnly, "headers_only", true, false)
	found.add(have.RateLimit > 0, "rate_limit_bps", have.RateLimit, "none")
	found.add(have.InactiveThreshold > 0, "inactive_threshold", have.InactiveThreshold, "none")
	found.add(have.MemoryStorage, "mem_storage", true, false)
	found.add(have.MaxWaiting > 0 && have.MaxWaiting < leastWaiting, "max_waiting", have.MaxWaiting, leastWaiting)
	found.add(have.PriorityPolicy != want.PriorityPolicy || len(have.PriorityGroups) > 0, "priority_groups", have.PriorityGroups, "none")
	if paused && have.PauseUntil != nil {
		found.add(true, "pause_until", have.PauseUntil.UTC(), "none")
	}
	found.tolerate(have.MaxRequestBatch > 0, "max_batch", have.MaxRequestBatch, "none")
	short := have.MaxRequestExpires > 0 && have.MaxRequestExpires < leastExpires
	found.add(short, "max_expires", have.MaxRequestExpires, "none")
	found.tolerate(have.MaxRequestExpires > 0 && !short, "max_expires", have.MaxRequestExpires, "none")
	narrow := have.MaxRequestMaxBytes > 0 && int64(have.MaxRequestMaxBytes) < largest
	found.add(narrow, "max_bytes", have.MaxRequestMaxBytes, "none")
	found.tolerate(have.MaxRequestMaxBytes > 0 && !narrow, "max_bytes", have.MaxRequestMaxBytes, "none")
	return found
}

// loses are the fields with which reading the durable loses messages, or their content. It is not read then: what it holds stays.
func (c comparison) loses() bool {
	return slices.ContainsFunc(c, func(d difference) bool { return d.field == "ack_policy" || d.field == "headers_only" })
}

// correct makes a durable that stands as it must be, notes what is left of its differences, and returns its configuration.
func (c *Conn) correct(ctx context.Context, stream string, have *jetstream.ConsumerInfo, want jetstream.ConsumerConfig) (
	jetstream.ConsumerConfig, error,
) {
	var refused error
	found := c.compare(have, want)
	passedOver, narrow := narrowed(have, want)
	if merged := mergeConsumer(have.Config, want); len(found) > 0 {
		changed, err := c.updateConsumer(ctx, stream, merged)
		if ctx.Err() != nil {
			return have.Config, ctx.Err()
		}
		if refused = err; err == nil {
			have, found = changed, c.compare(changed, want)
		}
		if narrow {
			c.passedOver.Store(stream+"."+want.Durable, passedOver)
		}
	}
	c.noteConsumer(ctx, stream, want.Durable, found, refused)
	return have.Config, nil
}

func (c *Conn) updateConsumer(ctx context.Context, stream string, config jetstream.ConsumerConfig) (*jetstream.ConsumerInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	consumer, err := c.js.UpdateConsumer(ctx, stream, config)
	if err != nil {
		return nil, err
	}
	return consumer.CachedInfo(), nil
}

func (c *Conn) compare(have *jetstream.ConsumerInfo, want jetstream.ConsumerConfig) comparison {
	return consumerDifferences(have.Config, want, have.Paused, c.nc.MaxPayload()+deliveryOverhead)
}

// narrowed reports whether the durable, while it read, took less than it must. What it passed over then does not come by itself once its
// filter is right again: that stays told until the durable is made anew.
func narrowed(have *jetstream.ConsumerInfo, want jetstream.ConsumerConfig) (d difference, narrow bool) {
	was, wanted := filtersOf(have.Config), filtersOf(want)
	covered := len(was) == 0 || !slices.ContainsFunc(wanted, func(subject string) bool {
		return !slices.ContainsFunc(was, func(filter string) bool { return covers(filter, subject) })
	})
	if covered || have.Delivered.Stream == 0 {
		return difference{}, false
	}
	return difference{field: "filter_subject (messages may have been passed over)", was: was, want: wanted}, true
}

func filtersOf(c jetstream.ConsumerConfig) []string {
	if c.FilterSubject != "" {
		return []string{c.FilterSubject}
	}
	return c.FilterSubjects
}

// covers reports whether a filter takes every subject that the pattern stands for.
func covers(filter, pattern string) bool {
	want := strings.Split(pattern, ".")
	for i, token := range strings.Split(filter, ".") {
		switch {
		case token == ">":
			return len(want) > i
		case i >= len(want) || want[i] == ">" || token != "*" && token != want[i]:
			return false
		}
	}
	return strings.Count(filter, ".") == strings.Count(pattern, ".")
}

// noteConsumer keeps what is left of a durable's differences, and whether it may be read.
func (c *Conn) noteConsumer(ctx context.Context, stream, name string, found comparison, refused error) {
	if d, ok := c.passedOver.Load(stream + "." + name); ok {
		found = append(found, d.(difference)) //nolint:forcetypeassert // only differences are stored
	}
	c.unfit.Store(stream+"."+name, found.loses())
	advice := "stop the service, delete the durable (nats consumer rm " + stream + " " + name +
		") and start it: it is made as it must be and delivers from the first message, and repeats change nothing"
	if fields := found.fields(); len(fields) == 1 && fields[0] == "pause_until" {
		advice = "nats consumer resume " + stream + " " + name
	}
	c.noteDifferences(ctx, subject{"consumer", name + " of " + stream, advice}, found, refused)
}

// isUnfit reports whether reading the durable would lose messages.
func (c *Conn) isUnfit(stream, name string) bool {
	unfit, _ := c.unfit.Load(stream + "." + name)
	return unfit == true
}

// pushed notes a durable of which the server pushes messages: it cannot be asked for any.
func (c *Conn) pushed(ctx context.Context, stream, name string, err error) {
	var found comparison
	found.add(true, "deliver_subject", "set", "none")
	c.noteConsumer(ctx, stream, name, found, err)
}

// isPush reports that a durable is no pull consumer.
func isPush(err error) bool {
	return errors.Is(err, jetstream.ErrNotPullConsumer) || err != nil && strings.Contains(err.Error(), "push based")
}
