package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace/millrace/app/envelope"
)

// streamMessage is one message of the stream EVENTS.
type streamMessage struct {
	id, key        string
	sequence       int64  // among the events of the key
	streamSequence uint64 // in the stream
}

// streamReader reads the stream EVENTS incrementally. It keeps all messages of earlier rounds.
type streamReader struct {
	messages []streamMessage
	last     uint64 // stream sequence of the last message
}

// readNew reads the messages after the last one. It returns an error if the stream ends before that one.
func (r *streamReader) readNew(ctx context.Context, js jetstream.JetStream) error {
	stream, err := js.Stream(ctx, "EVENTS")
	if err != nil {
		return err
	}
	end := stream.CachedInfo().State.LastSeq
	if end < r.last {
		return fmt.Errorf("the last sequence of the stream was %d and is now %d: messages at its end are lost", r.last, end)
	}
	if end == r.last {
		return nil
	}
	consumer, err := js.OrderedConsumer(ctx, "EVENTS",
		jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.last + 1})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	for r.last < end {
		message, err := messages.Next(jetstream.NextMaxWait(30 * time.Second))
		if err != nil {
			return errors.Join(fmt.Errorf("read the stream after sequence %d", r.last), err)
		}
		if err := r.add(message); err != nil {
			return err
		}
	}
	return nil
}

func (r *streamReader) add(message jetstream.Msg) error {
	meta, err := message.Metadata()
	if err != nil {
		return err
	}
	header := message.Headers()
	sequence, err := strconv.ParseInt(header.Get(envelope.MetaSequence), 10, 64)
	if err != nil {
		return fmt.Errorf("sequence of stream message %d: %w", meta.Sequence.Stream, err)
	}
	r.last = meta.Sequence.Stream
	r.messages = append(r.messages, streamMessage{
		id: header.Get(envelope.MetaID), key: header.Get(envelope.MetaPartitionKey), sequence: sequence, streamSequence: r.last,
	})
	return nil
}
