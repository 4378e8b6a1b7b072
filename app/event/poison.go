package event

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
)

// Failures of whoever decides about a poison message.
var (
	ErrPoisonNotFound = fault.New(fault.NotFound, "poison_not_found", "There is no such poison message.")
	ErrPoisonNotOpen  = fault.New(fault.Conflict, "poison_not_open",
		"Somebody has decided about this poison message already.")
	ErrNoConsumer = fault.New(fault.Conflict, "poison_without_consumer",
		"The poison message names no consumer that it could go back to.")
	ErrNotRequeued = fault.New(fault.Conflict, "poison_not_signed",
		"The message came on a requeue subject without the event service's signature, and the poison queue never sent it: somebody else "+
			"wrote it. Discard it, and change the broker password of the event service.")
	ErrPayloadOmitted = fault.New(fault.Conflict, "poison_without_payload",
		"The message was too large to be kept whole: it stands in its stream alone, and without its payload it cannot go back.")
)

// Status says what became of a poison message.
type Status string

// The statuses. A message is open until somebody decides.
const (
	StatusOpen      Status = "open"
	StatusRequeued  Status = "requeued"
	StatusDiscarded Status = "discarded"
	StatusResolved  Status = "resolved"
)

// Poison is a message that a consumer gave up.
type Poison struct {
	Number        int64 // the order in which they were stored
	ID            uuid.UUID
	Status        Status
	Consumer      string // who gave up, and the only one it goes back to
	Type          string
	Source        string
	Key           string
	EventID       uuid.UUID
	Subject       string // where the message had come from
	Reason        string
	Attempts      int
	Round         int // how often it had been requeued when it failed
	FirstFailedAt time.Time
	LastFailedAt  time.Time
	RecordedAt    time.Time
	Fingerprint   string            // the same for failures of one kind
	Metadata      map[string]string // whole, what the poison queue added too
	Data          []byte            // byte for byte as it was published
}

// GivenUp is what the consumer that gave a message up says about it. All of it may be missing.
type GivenUp struct {
	ID       string // of the poison message
	Consumer string
	Subject  string
	Reason   string
	Attempts int
	Round    int
	First    time.Time
	Last     time.Time
}

// NewPoison makes the poison message of m. It refuses nothing, because there is no poison queue behind the poison queue: a message without
// an ID gets one, the same for each redelivery, and what is too long is clipped.
func NewPoison(m Message, g GivenUp, now time.Time) Poison {
	e := envelope.Parse(m.ID, m.Metadata, m.Data)
	p := Poison{
		Status:       StatusOpen,
		Consumer:     clip(g.Consumer, attributeMax),
		Type:         clip(typeOf(e.Type, g.Subject), attributeMax),
		Source:       clip(e.Source, attributeMax),
		Key:          clip(e.Key, attributeMax),
		EventID:      envelope.UUID(e.Source, e.ID),
		Subject:      clip(g.Subject, attributeMax),
		Reason:       clip(g.Reason, envelope.MaxReason),
		Attempts:     max(g.Attempts, 0),
		Round:        max(g.Round, 0),
		LastFailedAt: timeOr(g.Last, now),
		RecordedAt:   now,
		Metadata:     m.Metadata,
		Data:         m.Data,
	}
	p.FirstFailedAt = timeOr(g.First, p.LastFailedAt)
	p.Fingerprint = fingerprint(p.Consumer, p.Type, g.Reason)
	p.ID = poisonID(m, g, p.EventID)
	return p
}

func poisonID(m Message, g GivenUp, event uuid.UUID) uuid.UUID {
	if id, err := uuid.Parse(g.ID); err == nil && id != uuid.Nil {
		return id
	}
	return uuid.NewSHA1(event, []byte(m.Subject+"\x00"+strconv.Itoa(g.Round)))
}

// Requeue decides that p goes back to the consumer that gave it up. It can be decided once.
func (p *Poison) Requeue() error {
	if p.Status != StatusOpen {
		return ErrPoisonNotOpen
	}
	if !consumerName(p.Consumer) {
		return ErrNoConsumer
	}
	p.Status = StatusRequeued
	return nil
}

// NextRound is the round that a requeued p begins.
func (p Poison) NextRound() int { return p.Round + 1 }

// RequeueID is the ID by which the broker recognises a repeat of p's requeueing. It is not the event's, which the broker may have seen a
// moment ago.
func (p Poison) RequeueID() uuid.UUID {
	return uuid.NewSHA1(p.ID, []byte("requeue\x00"+strconv.Itoa(p.NextRound())))
}

// Unsigned reports whether its consumer gave p up because it came on a requeue subject and was not signed. Then nothing that p says is
// known to be true.
func (p Poison) Unsigned() bool { return strings.HasPrefix(p.Subject, envelope.RequeueTopic("")) }

// RequeueOf returns the ID of the poison message that p claims to have been, when it was sent back.
func (p Poison) RequeueOf() (id uuid.UUID, ok bool) {
	id, err := uuid.Parse(p.Metadata[envelope.MetaRequeueOf])
	return id, err == nil
}

// Sent reports whether p, which was sent back, is what came to its consumer as unsigned: that it has the same message, for the same
// consumer. The services have different keys then, or the key was changed on the way.
func (p Poison) Sent(unsigned Poison) bool {
	return p.Status == StatusRequeued && !p.Unsigned() && p.Consumer == unsigned.Consumer && p.EventID == unsigned.EventID &&
		bytes.Equal(p.Data, unsigned.Data)
}

// consumerName reports whether s can be a consumer's name: one token of a subject, and no pattern.
func consumerName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return s != ""
}
