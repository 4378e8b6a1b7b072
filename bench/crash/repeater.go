package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace/millrace/bench/cluster"
)

// repeater stores events again that are in the stream already, as a relay does that could not mark them before the broker forgot
// their IDs: old ones behind newer ones of the same key, too. Without it few messages are delivered twice in a short run.
type repeater struct {
	js     jetstream.JetStream
	random *rand.Rand
	tally  *tally
}

// run works until ctx ends. Its own failures are no finding: the broker that it works on is being killed.
func (r *repeater) run(ctx context.Context) {
	for cluster.Sleep(ctx, time.Duration(10+r.random.IntN(80))*time.Millisecond) {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		if r.repeat(attempt) == nil {
			r.tally.repeat()
		}
		cancel()
	}
}

// repeat stores one message again, a young one as often as any.
func (r *repeater) repeat(ctx context.Context) error {
	stream, err := r.js.Stream(ctx, "EVENTS")
	if err != nil {
		return err
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return nil
	}
	among := state.LastSeq - state.FirstSeq + 1
	if r.random.IntN(2) == 0 {
		among = min(among, 100)
	}
	message, err := stream.GetMsg(ctx, state.LastSeq-r.random.Uint64N(among))
	if err != nil {
		return err
	}
	message.Header.Del(nats.MsgIdHdr) // or the broker would tell it by itself
	_, err = r.js.PublishMsg(ctx, &nats.Msg{Subject: message.Subject, Header: message.Header, Data: message.Data})
	return err
}
