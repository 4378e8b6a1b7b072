package natsjs

import (
	"reflect"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace/millrace/app/envelope"
)

// leastMessage is the largest message that a stream of ours must take: an event with its metadata.
const leastMessage = envelope.MaxBytes + 64<<10

// merge puts what we must have into a stream's configuration and leaves the rest as an operator set it: limits, which may keep a disk from
// running full, and what changes where messages go on the way out.
func merge(have, want jetstream.StreamConfig) (merged jetstream.StreamConfig, changed bool) {
	merged = have
	merged.Subjects = mergeSubjects(have.Subjects, want.Subjects)
	merged.Duplicates = max(have.Duplicates, want.Duplicates)
	if want.Replicas != 0 {
		merged.Replicas = want.Replicas
	}
	if want.MaxAge != 0 {
		merged.MaxAge = want.MaxAge
	}
	if tooSmall(have) {
		merged.MaxMsgSize = want.MaxMsgSize
	}
	merged.NoAck = false          // nothing would be known to be stored
	merged.AllowRollup = false    // a publisher could delete what others wrote
	merged.SubjectTransform = nil // it goes round what each publisher may write to
	merged.ConsumerLimits = jetstream.StreamConsumerLimits{}
	return merged, !reflect.DeepEqual(have, merged)
}

// mergeSubjects returns have with all of want: a server refuses a subject beside one that covers it.
func mergeSubjects(have, want []string) (merged []string) {
	for _, subject := range have {
		covered := func(by string) bool { return by == subject || strings.HasPrefix(subject, strings.TrimSuffix(by, ">")) }
		if slices.Contains(want, subject) || !slices.ContainsFunc(want, covered) {
			merged = append(merged, subject)
		}
	}
	for _, subject := range want {
		if !slices.Contains(merged, subject) {
			merged = append(merged, subject)
		}
	}
	return merged
}

// tooSmall reports whether the stream refuses events that may be written.
func tooSmall(have jetstream.StreamConfig) bool {
	return have.MaxMsgSize > 0 && have.MaxMsgSize < leastMessage
}

// streamDifferences compares every field that decides whether the stream takes what is published, unchanged, keeps it, and lets consumers
// read it. Operators may set limits, but each is worth telling: it lets go of messages that a consumer may not have seen.
func streamDifferences(have, want jetstream.StreamConfig) (found comparison) {
	for _, subject := range want.Subjects {
		found.add(!slices.Contains(have.Subjects, subject), "subjects", have.Subjects, want.Subjects)
	}
	found.add(have.Retention != want.Retention, "retention", have.Retention, want.Retention)
	found.add(have.Storage != want.Storage, "storage", have.Storage, want.Storage)
	found.add(have.PersistMode != want.PersistMode, "persist_mode", have.PersistMode, want.PersistMode)
	found.add(have.Duplicates < want.Duplicates, "duplicate_window", have.Duplicates, want.Duplicates)
	found.add(want.Replicas != 0 && have.Replicas != want.Replicas, "num_replicas", have.Replicas, want.Replicas)
	found.add(have.MaxAge != want.MaxAge && (want.MaxAge != 0 || want.Name != Events), "max_age", have.MaxAge, want.MaxAge)
	found.add(have.MaxMsgs > 0 && have.Discard != jetstream.DiscardNew, "max_msgs", have.MaxMsgs, "none, or discard: new")
	found.add(have.MaxBytes > 0 && have.Discard != jetstream.DiscardNew, "max_bytes", have.MaxBytes, "none, or discard: new")
	found.add(have.MaxMsgsPerSubject > 0, "max_msgs_per_subject", have.MaxMsgsPerSubject, "none")
	found.add(tooSmall(have), "max_msg_size", have.MaxMsgSize, leastMessage)
	found.add(have.MaxConsumers > 0, "max_consumers", have.MaxConsumers, "none")
	found.add(have.ConsumerLimits != jetstream.StreamConsumerLimits{}, "consumer_limits", have.ConsumerLimits, "none")
	found.add(have.NoAck, "no_ack", true, false)
	found.add(have.Sealed, "sealed", true, false)
	found.add(have.AllowRollup, "allow_rollup_hdrs", true, false)
	found.add(have.AllowMsgTTL, "allow_msg_ttl", true, false)
	found.add(have.AllowMsgCounter, "allow_msg_counter", true, false)
	found.add(have.AllowMsgSchedules, "allow_msg_schedules", true, false)
	found.add(have.SubjectTransform != nil, "subject_transform", "set", "none")
	found.add(have.RePublish != nil, "republish", "set", "none")
	found.add(have.Mirror != nil, "mirror", "set", "none")
	found.add(len(have.Sources) > 0, "sources", len(have.Sources), 0)
	return found
}
