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

var errNoAck = errors.New("no acknowledgement")

// fakeBroker is a broker with one stream in memory. It tells repeats by message ID.
type fakeBroker struct {
	latency time.Duration // of an acknowledgement
	refusal error         // what a refused message is answered with

	answering sync.Mutex // held while an answer is given

	mu             sync.Mutex
	away           bool
	stream         []sent
	sequences      map[string]int                  // of messages in the stream
	sends          map[string]int                  // how often each message came
	acks           map[string]bool                 // which acknowledgements were delivered
	respond        func(id string, n int) response // of the nth publication of a message
	respondByTopic func(topic string) response     // instead of verdict
	answers        []func()                        // under way, in the order of the publications
	unknown        []func(uint64, error)           // without an outcome, until the connection is back
	sentWhileAway  int                             // while the broker was away
}

type sent struct{ id, key, sequence string }

// response is what the broker does with a publication.
type response int

const (
	storeAndAck response = iota
	storeAndLoseAck
	refuse
)

func newFakeBroker() *fakeBroker {
	return &fakeBroker{
		latency: time.Millisecond, refusal: errNoAck, sequences: map[string]int{}, sends: map[string]int{}, acks: map[string]bool{},
	}
}

func (b *fakeBroker) PublishAsync(topic string, msg *message.Message, done func(uint64, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := msg.Metadata.Get(envelope.MetaDeduplicationID)
	if id == "" {
		id = msg.UUID
	}
	b.sends[id]++
	if b.away {
		b.sentWhileAway++
		b.unknown = append(b.unknown, done)
		return
	}
	what := storeAndAck
	if b.respond != nil {
		what = b.respond(id, b.sends[id])
	}
	if b.respondByTopic != nil {
		what = b.respondByTopic(topic)
	}
	if what == refuse {
		b.answer(func() { done(0, b.refusal) })
		return
	}
	place, repeat := b.sequences[id]
	if !repeat {
		place = len(b.stream)
		b.sequences[id] = place
		b.stream = append(b.stream, sent{id, msg.Metadata.Get(envelope.MetaPartitionKey), msg.Metadata.Get(envelope.MetaSequence)})
	}
	b.answer(func() {
		if what == storeAndLoseAck {
			done(0, errNoAck)
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
func (b *fakeBroker) answer(give func()) {
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

func (b *fakeBroker) Holds(_ context.Context, _ string, sequence uint64, id string) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return false, errNoAck
	}
	return sequence <= uint64(len(b.stream)) && b.stream[sequence-1].id == id, nil
}

func (b *fakeBroker) Connected() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.away
}

// disconnect ends the connection; come brings it back, without the last lost messages of the stream.
func (b *fakeBroker) disconnect() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = true
}

func (b *fakeBroker) reconnect(lost int) {
	b.mu.Lock()
	b.away = false
	for _, s := range b.stream[len(b.stream)-lost:] {
		delete(b.sequences, s.id)
	}
	b.stream = b.stream[:len(b.stream)-lost]
	unknown := b.unknown
	b.unknown = nil
	b.mu.Unlock()
	for _, done := range unknown {
		done(0, errNoAck)
	}
}

func (b *fakeBroker) setResponse(verdict func(id string, n int) response) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.respond = verdict
}

// setResponseByTopic has publications judged by their topics.
func (b *fakeBroker) setResponseByTopic(verdict func(topic string) response) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.respondByTopic = verdict
}

func (b *fakeBroker) contents() []sent {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.stream)
}

func (b *fakeBroker) sendsOf(id string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sends[id]
}

func (b *fakeBroker) acknowledged(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acks[id]
}

var _ Broker = (*fakeBroker)(nil)
