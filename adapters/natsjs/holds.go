package natsjs

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace/millrace/app/envelope"
)

// Holds reports whether the stream that takes topic has, or had until its retention let it go, the message with that ID at that
// sequence. It is false for a stream that lost its tail or was made anew, whether or not another message has the place by now.
func (p *Publisher) Holds(ctx context.Context, topic string, streamSequence uint64, messageID string) (bool, error) {
	name, err := envelope.StreamOf(topic)
	if err != nil {
		return false, err
	}
	if streamSequence == 0 { // no message ever has it, and the broker refuses to look
		return false, nil
	}
	stream, err := p.conn.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at stream %s: %w", name, err)
	}
	stored, err := stream.GetMsg(ctx, streamSequence)
	if err == nil {
		return stored.Header.Get(jetstream.MsgIDHeader) == messageID, nil
	}
	if !errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, fmt.Errorf("look for message %d of %s: %w", streamSequence, name, err)
	}
	info, err := stream.Info(ctx) // anew: the message may have been let go since
	if err != nil {
		return false, fmt.Errorf("look at stream %s: %w", name, err)
	}
	if info.State.LastSeq < streamSequence {
		return false, nil
	}
	// A work queue lets go of what was acknowledged, wherever it stands.
	return streamSequence < info.State.FirstSeq || info.Config.Retention == jetstream.WorkQueuePolicy, nil
}
