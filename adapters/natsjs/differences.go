package natsjs

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// difference is a field of a stream that is not as it must be for nothing to be lost or forged.
type difference struct {
	field     string
	was, want any
}

// differences compares every field that decides whether the stream takes what is published, unchanged, and keeps it. Operators may set
// limits, but each is worth a line in the log: it lets go of messages that a consumer may not have seen.
func differences(have, want jetstream.StreamConfig) (found []difference) {
	add := func(differs bool, field string, was, wanted any) {
		if differs {
			found = append(found, difference{field, was, wanted})
		}
	}
	for _, subject := range want.Subjects {
		add(!slices.Contains(have.Subjects, subject), "subjects", have.Subjects, want.Subjects)
	}
	add(have.Retention != want.Retention, "retention", have.Retention, want.Retention)
	add(have.Storage != want.Storage, "storage", have.Storage, want.Storage)
	add(have.Duplicates < want.Duplicates, "duplicate_window", have.Duplicates, want.Duplicates)
	add(want.Replicas != 0 && have.Replicas != want.Replicas, "num_replicas", have.Replicas, want.Replicas)
	add(want.MaxAge != 0 && have.MaxAge != want.MaxAge, "max_age", have.MaxAge, want.MaxAge)
	add(have.MaxMsgs > 0, "max_msgs", have.MaxMsgs, "none")
	add(have.MaxBytes > 0 && have.Discard != jetstream.DiscardNew, "max_bytes", have.MaxBytes, "none, or discard: new")
	add(have.MaxMsgsPerSubject > 0, "max_msgs_per_subject", have.MaxMsgsPerSubject, "none")
	add(have.NoAck, "no_ack", true, false)
	add(have.Sealed, "sealed", true, false)
	add(have.SubjectTransform != nil, "subject_transform", "set", "none")
	add(have.RePublish != nil, "republish", "set", "none")
	add(have.Mirror != nil, "mirror", "set", "none")
	add(len(have.Sources) > 0, "sources", len(have.Sources), 0)
	return found
}

// logDifferences logs how a stream differs, whenever that changes. refused is why it could not be corrected, if that was tried.
func (c *Conn) logDifferences(ctx context.Context, have, want jetstream.StreamConfig, refused error) {
	found := differences(have, want)
	now := fmt.Sprint(found)
	before, _ := c.differences.Swap(want.Name, now)
	if before == now || (before == nil && len(found) == 0) {
		return
	}
	if len(found) == 0 {
		c.logger.InfoContext(ctx, "stream is as it must be again", slog.String("stream", want.Name))
	}
	for _, d := range found {
		c.logger.WarnContext(ctx, "stream differs", slog.String("stream", want.Name), slog.String("field", d.field),
			slog.Any("is", d.was), slog.Any("wanted", d.want), slog.Any("refused", refused))
	}
}
