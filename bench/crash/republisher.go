package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace/millrace/bench/cluster"
)

// republisher publishes events again that are in the stream already, also old ones after newer ones of the same key. A relay does the
// same if it fails to mark a row before the broker forgets its message ID. Without the republisher few messages are delivered twice in
// a short run.
type republisher struct {
	js     jetstream.JetStream
	random *rand.Rand
	faults *faultCounts
}

// run publishes events until ctx is done. It ignores errors: the broker is killed meanwhile.
func (r *republisher) run(ctx context.Context) {
	for cluster.Sleep(ctx, time.Duration(10+r.random.IntN(80))*time.Millisecond) {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		if r.republish(attempt) == nil {
			r.faults.addRepublished()
		}
		cancel()
	}
}

// republish publishes one random message again: every second time one of the last hundred, otherwise any.
func (r *republisher) republish(ctx context.Context) error {
	stream, err := r.js.Stream(ctx, "EVENTS")
	if err != nil {
		return err
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return nil
	}
	candidates := state.LastSeq - state.FirstSeq + 1
	if r.random.IntN(2) == 0 {
		candidates = min(candidates, 100)
	}
	message, err := stream.GetMsg(ctx, state.LastSeq-r.random.Uint64N(candidates))
	if err != nil {
		return err
	}
	message.Header.Del(nats.MsgIdHdr) // the broker would discard a message with a known ID
	_, err = r.js.PublishMsg(ctx, &nats.Msg{Subject: message.Subject, Header: message.Header, Data: message.Data})
	return err
}
