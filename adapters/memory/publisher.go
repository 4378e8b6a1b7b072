package memory

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
)

// ErrClosed refuses everything after Close.
var ErrClosed = fault.New(fault.Unavailable, "broker_closed", "The broker is closed.")

// Publish stores the messages in their order, up to the first that fails.
func (b *Broker) Publish(topic string, messages ...*message.Message) error {
	for _, msg := range messages {
		if _, err := b.store(topic, msg); err != nil {
			return fmt.Errorf("publish on %s: %w", topic, err)
		}
	}
	return nil
}

// PublishAsync stores a message. done hears of it before PublishAsync returns.
func (b *Broker) PublishAsync(topic string, msg *message.Message, done func(streamSequence uint64, err error)) {
	done(b.store(topic, msg))
}

// store gives a message its place, or the place it has already.
func (b *Broker) store(topic string, msg *message.Message) (uint64, error) {
	id, err := envelope.Check(topic, msg.UUID, msg.Metadata)
	if err != nil {
		return 0, err
	}
	name, err := envelope.StreamOf(topic)
	if err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed {
		return 0, ErrClosed
	}
	s, now := b.streams[name], b.config.Now()
	if at, found := s.seen[id]; found && id != "" && now.Sub(s.messages[at-1].at) < b.config.DuplicateWindow {
		return at, nil
	}
	s.messages = append(s.messages, stored{subject: topic, messageID: id, at: now, message: msg.Copy()})
	sequence := uint64(len(s.messages))
	s.seen[id] = sequence
	for _, d := range s.durables {
		if d.takes(topic) {
			d.wake()
		}
	}
	return sequence, nil
}

// Holds reports whether the stream that takes topic has the message with that ID at that sequence.
func (b *Broker) Holds(_ context.Context, topic string, streamSequence uint64, messageID string) (bool, error) {
	name, err := envelope.StreamOf(topic)
	if err != nil {
		return false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.streams[name]
	return streamSequence >= 1 && streamSequence <= uint64(len(s.messages)) && s.messages[streamSequence-1].messageID == messageID, nil
}

// Connected is true until Close.
func (b *Broker) Connected() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.isClosed
}

// Close refuses further messages. Subscribers are closed on their own, before.
func (b *Broker) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.isClosed = true
	return nil
}
