package memory

import (
	"slices"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// stored is one message of a stream.
type stored struct {
	subject   string
	messageID string // by which repeats are told
	at        time.Time
	message   *message.Message
}

// stream keeps its messages in the order of their sequences, the first one has 1.
type stream struct {
	name     string
	messages []stored
	seen     map[string]uint64 // message ID to sequence
	durables map[string]*durable
}

// outstanding is a delivery that was not acknowledged.
type outstanding struct {
	count int
	due   time.Time // when it is delivered again
}

// durable is a consumer's place in a stream.
type durable struct {
	stream  *stream
	name    string
	filters []string
	ackWait time.Duration
	next    int // index of the first message that was never delivered
	pending map[uint64]*outstanding
	wakes   map[chan struct{}]struct{} // of its subscriptions
}

// takes reports whether a subject passes the filters.
func (d *durable) takes(subject string) bool {
	for _, filter := range d.filters {
		if matches(filter, subject) {
			return true
		}
	}
	return false
}

// matches reports whether a subject fits a pattern: * is one token, > at the end one or more.
func matches(pattern, subject string) bool {
	for {
		p, patternRest, morePattern := strings.Cut(pattern, ".")
		s, subjectRest, moreSubject := strings.Cut(subject, ".")
		switch {
		case p == ">" && !morePattern:
			return s != ""
		case p != "*" && p != s:
			return false
		case !morePattern || !moreSubject:
			return morePattern == moreSubject
		}
		pattern, subject = patternRest, subjectRest
	}
}

// due gives up to limit sequences to deliver now, what is to be delivered again first, and when to look again, zero if only a
// change can bring more. The broker's lock is held.
func (d *durable) due(limit int, now time.Time) (sequences []uint64, again time.Time) {
	for sequence, o := range d.pending {
		if !o.due.After(now) {
			sequences = append(sequences, sequence)
		} else if again.IsZero() || o.due.Before(again) {
			again = o.due
		}
	}
	slices.Sort(sequences)
	sequences = sequences[:min(limit, len(sequences))]
	for _, sequence := range sequences {
		d.deliver(sequence, now)
	}
	for len(sequences) < limit && d.next < len(d.stream.messages) {
		m := d.stream.messages[d.next]
		d.next++
		if d.takes(m.subject) {
			sequences = append(sequences, uint64(d.next))
			d.deliver(uint64(d.next), now)
		}
	}
	return sequences, again
}

// deliver notes one delivery.
func (d *durable) deliver(sequence uint64, now time.Time) {
	o, found := d.pending[sequence]
	if !found {
		o = &outstanding{}
		d.pending[sequence] = o
	}
	o.count++
	o.due = now.Add(d.ackWait)
}

// wake makes all subscriptions look again.
func (d *durable) wake() {
	for w := range d.wakes {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}
