package relay

import (
	"context"
	"sync"
	"time"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/outbox"
)

// lossDetector detects that the broker lost the tail of a stream. It keeps the highest sequence that the broker acknowledged in each stream
// and checks that the broker still has that message: in a cluster, messages can be lost although the connection of this process stays up.
type lossDetector struct {
	broker Broker
	heads  map[string]*streamHead // by stream
	lost   bool                   // a stream lost its tail: nothing more may be published before it was compared

	checking   bool
	lastCheck  time.Time
	results    chan []suspectedLoss
	background sync.WaitGroup
}

// streamHead is the message at the highest place of a stream.
type streamHead struct {
	outbox.Published

	suspected *suspectedLoss // nil: none that was not asked about
}

// suspectedLoss is whether the broker still holds a message. A lower place that it acknowledged later is a repeat's, or the stream lost its
// tail and grows again.
type suspectedLoss struct {
	outbox.Published

	low  uint64 // the lowest such place; 0: none
	lost bool   // what the broker answered
}

// newLossDetector begins with what the broker was found to hold.
func newLossDetector(broker Broker, held map[string]outbox.Published, now time.Time) *lossDetector {
	h := &lossDetector{broker: broker, heads: map[string]*streamHead{}, lastCheck: now, results: make(chan []suspectedLoss, 1)}
	for stream, row := range held {
		h.heads[stream] = &streamHead{Published: row}
	}
	return h
}

// acked takes an acknowledgement.
func (h *lossDetector) acked(p outbox.Published) {
	t := h.heads[envelope.Prefix(p.Topic)]
	switch {
	case t == nil:
		h.heads[envelope.Prefix(p.Topic)] = &streamHead{Published: p}
	case p.StreamSequence > t.StreamSequence:
		t.Published = p
	default:
		t.suspect(suspectedLoss{Published: t.Published, low: p.StreamSequence})
	}
}

// suspect adds d to the doubt. The first message in doubt stays the one to ask for: a stream that lost its tail may soon be longer than
// it was.
func (t *streamHead) suspect(d suspectedLoss) {
	if t.suspected == nil {
		t.suspected = &d
		return
	}
	t.suspected.low = min(t.suspected.low, d.low)
}

// check has the broker asked in the background: for what is in doubt at once, otherwise every so often for the tops.
func (h *lossDetector) check(ctx context.Context, now time.Time, every time.Duration) {
	if h.checking {
		return
	}
	all := now.Sub(h.lastCheck) >= every
	var doubts []suspectedLoss
	for _, t := range h.heads {
		switch {
		case t.suspected != nil:
			doubts = append(doubts, *t.suspected)
			t.suspected = nil
		case all:
			doubts = append(doubts, suspectedLoss{Published: t.Published})
		}
	}
	if all {
		h.lastCheck = now
	}
	if len(doubts) == 0 {
		return
	}
	h.checking = true
	h.background.Go(func() {
		for i := range doubts {
			d := &doubts[i]
			held, err := h.broker.Holds(ctx, d.Topic, d.StreamSequence, d.MessageID)
			d.lost = err == nil && !held
			if held {
				d.low = 0
			}
		}
		h.results <- doubts
	})
}

// handleResults takes the broker's answers. What it did not answer stays in doubt.
func (h *lossDetector) handleResults(doubts []suspectedLoss) {
	h.checking = false
	for _, d := range doubts {
		h.lost = h.lost || d.lost
		if d.low != 0 {
			h.heads[envelope.Prefix(d.Topic)].suspect(d)
		}
	}
}

// close waits for the answers under way, and gives the lowest place of each stream that is in doubt.
func (h *lossDetector) close() (low map[string]uint64) {
	h.background.Wait()
	if h.checking {
		h.handleResults(<-h.results)
	}
	low = map[string]uint64{}
	for stream, t := range h.heads {
		if t.suspected != nil {
			low[stream] = t.suspected.low
		}
	}
	return low
}
