package relay

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/envelope"
)

var errWire = errors.New("no acknowledgement")

// wire is a broker with one stream in memory. It tells repeats by message ID.
type wire struct {
	latency time.Duration // of an acknowledgement
	refusal error         // what a refused message is answered with

	answering sync.Mutex // held while an answer is given

	mu       sync.Mutex
	away     bool
	stream   []sent
	places   map[string]int                 // of messages in the stream
	sends    map[string]int                 // how often each message came
	acks     map[string]bool                // which acknowledgements were delivered
	verdict  func(id string, n int) verdict // of the nth publication of a message
	byTopic  func(topic string) verdict     // instead of verdict
	answers  []func()                       // under way, in the order of the publications
	unknown  []func(uint64, error)          // without an outcome, until the connection is back
	sentAway int                            // while the broker was away
}

type sent struct{ id, key, sequence string }

// verdict is what the broker does with a publication.
type verdict int

const (
	storeAndAck verdict = iota
	storeAndLoseAck
	refuse
)

func newWire() *wire {
	return &wire{latency: time.Millisecond, refusal: errWire, places: map[string]int{}, sends: map[string]int{}, acks: map[string]bool{}}
}

func (b *wire) PublishAsync(topic string, msg *message.Message, done func(uint64, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := msg.Metadata.Get(envelope.MetaDeduplicationID)
	if id == "" {
		id = msg.UUID
	}
	b.sends[id]++
	if b.away {
		b.sentAway++
		b.unknown = append(b.unknown, done)
		return
	}
	what := storeAndAck
	if b.verdict != nil {
		what = b.verdict(id, b.sends[id])
	}
	if b.byTopic != nil {
		what = b.byTopic(topic)
	}
	if what == refuse {
		b.answer(func() { done(0, b.refusal) })
		return
	}
	place, repeat := b.places[id]
	if !repeat {
		place = len(b.stream)
		b.places[id] = place
		b.stream = append(b.stream, sent{id, msg.Metadata.Get(envelope.MetaPartitionKey), msg.Metadata.Get(envelope.MetaSequence)})
	}
	b.answer(func() {
		if what == storeAndLoseAck {
			done(0, errWire)
			return
		}
		b.mu.Lock()
		if b.away {
			b.unknown = append(b.unknown, done)
			b.mu.Unlock()
			return
		}
		b.acks[id] = true
		b.mu.Unlock()
		done(uint64(place+1), nil)
	})
}

// answer has an answer given behind those of what was published before. The lock is held.
func (b *wire) answer(give func()) {
	b.answers = append(b.answers, give)
	time.AfterFunc(b.latency, func() {
		b.answering.Lock()
		defer b.answering.Unlock()
		b.mu.Lock()
		give := b.answers[0]
		b.answers = b.answers[1:]
		b.mu.Unlock()
		give()
	})
}

func (b *wire) Holds(_ context.Context, _ string, sequence uint64, id string) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return false, errWire
	}
	return sequence <= uint64(len(b.stream)) && b.stream[sequence-1].id == id, nil
}

func (b *wire) Connected() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.away
}

// leave ends the connection; come brings it back, without the last lost messages of the stream.
func (b *wire) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = true
}

func (b *wire) come(lost int) {
	b.mu.Lock()
	b.away = false
	for _, s := range b.stream[len(b.stream)-lost:] {
		delete(b.places, s.id)
	}
	b.stream = b.stream[:len(b.stream)-lost]
	unknown := b.unknown
	b.unknown = nil
	b.mu.Unlock()
	for _, done := range unknown {
		done(0, errWire)
	}
}

func (b *wire) judge(verdict func(id string, n int) verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.verdict = verdict
}

// judgeTopic has publications judged by their topics.
func (b *wire) judgeTopic(verdict func(topic string) verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.byTopic = verdict
}

func (b *wire) contents() []sent {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.stream)
}

func (b *wire) sendsOf(id string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sends[id]
}

func (b *wire) acknowledged(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acks[id]
}

var _ Broker = (*wire)(nil)
