package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace/millrace/app/contract"
)

// sent is one message of the stream EVENTS.
type sent struct {
	id, key  string
	sequence int64
	at       uint64 // its place in the stream
}

// tape is what the stream has held, read on with each round.
type tape struct {
	messages []sent
	last     uint64
}

// read adds what is new in the stream.
func (t *tape) read(ctx context.Context, js jetstream.JetStream) error {
	stream, err := js.Stream(ctx, "EVENTS")
	if err != nil {
		return err
	}
	end := stream.CachedInfo().State.LastSeq
	if end < t.last {
		return fmt.Errorf("the stream ends at %d and had ended at %d: it lost its tail", end, t.last)
	}
	if end == t.last {
		return nil
	}
	consumer, err := js.OrderedConsumer(ctx, "EVENTS",
		jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: t.last + 1})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	for t.last < end {
		message, err := messages.Next(jetstream.NextMaxWait(30 * time.Second))
		if err != nil {
			return errors.Join(fmt.Errorf("read the stream behind %d", t.last), err)
		}
		if err := t.add(message); err != nil {
			return err
		}
	}
	return nil
}

func (t *tape) add(message jetstream.Msg) error {
	meta, err := message.Metadata()
	if err != nil {
		return err
	}
	header := message.Headers()
	sequence, err := strconv.ParseInt(header.Get(contract.MetaSequence), 10, 64)
	if err != nil {
		return fmt.Errorf("message %d of the stream has no sequence: %w", meta.Sequence.Stream, err)
	}
	t.last = meta.Sequence.Stream
	t.messages = append(t.messages, sent{
		id: header.Get(contract.MetaID), key: header.Get(contract.MetaPartitionKey), sequence: sequence, at: t.last,
	})
	return nil
}
