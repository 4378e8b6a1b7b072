package relay

import (
	"context"
	"sync"
	"time"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/outbox"
)

// highWater is a stretch's account of the highest place that the broker acknowledged in each stream. As long as the broker has lost
// nothing it holds that message. It can lose the tail of a stream behind a connection that stands: in a cluster, the node that failed is
// another.
type highWater struct {
	broker Broker
	tops   map[string]*top // by stream
	lost   bool            // a stream lost its tail: nothing more may be published before it was compared

	asking     bool
	asked      time.Time
	answers    chan []doubt
	background sync.WaitGroup
}

// top is the message at the highest place of a stream.
type top struct {
	outbox.Published

	doubt *doubt // nil: none that was not asked about
}

// doubt is whether the broker still holds a message. A lower place that it acknowledged later is a repeat's, or the stream lost its
// tail and grows again.
type doubt struct {
	outbox.Published

	low  uint64 // the lowest such place; 0: none
	gone bool   // what the broker answered
}

// newHighWater begins with what the broker was found to hold.
func newHighWater(broker Broker, held map[string]outbox.Published, now time.Time) *highWater {
	h := &highWater{broker: broker, tops: map[string]*top{}, asked: now, answers: make(chan []doubt, 1)}
	for stream, row := range held {
		h.tops[stream] = &top{Published: row}
	}
	return h
}

// acked takes an acknowledgement.
func (h *highWater) acked(p outbox.Published) {
	t := h.tops[envelope.Prefix(p.Topic)]
	switch {
	case t == nil:
		h.tops[envelope.Prefix(p.Topic)] = &top{Published: p}
	case p.StreamSequence > t.StreamSequence:
		t.Published = p
	default:
		t.suspect(doubt{Published: t.Published, low: p.StreamSequence})
	}
}

// suspect adds d to the doubt. The first message in doubt stays the one to ask for: a stream that lost its tail may soon be longer than
// it was.
func (t *top) suspect(d doubt) {
	if t.doubt == nil {
		t.doubt = &d
		return
	}
	t.doubt.low = min(t.doubt.low, d.low)
}

// ask has the broker asked in the background: for what is in doubt at once, otherwise every so often for the tops.
func (h *highWater) ask(ctx context.Context, now time.Time, every time.Duration) {
	if h.asking {
		return
	}
	all := now.Sub(h.asked) >= every
	var doubts []doubt
	for _, t := range h.tops {
		switch {
		case t.doubt != nil:
			doubts = append(doubts, *t.doubt)
			t.doubt = nil
		case all:
			doubts = append(doubts, doubt{Published: t.Published})
		}
	}
	if all {
		h.asked = now
	}
	if len(doubts) == 0 {
		return
	}
	h.asking = true
	h.background.Go(func() {
		for i := range doubts {
			d := &doubts[i]
			held, err := h.broker.Holds(ctx, d.Topic, d.StreamSequence, d.MessageID)
			d.gone = err == nil && !held
			if held {
				d.low = 0
			}
		}
		h.answers <- doubts
	})
}

// heard takes the broker's answers. What it did not answer stays in doubt.
func (h *highWater) heard(doubts []doubt) {
	h.asking = false
	for _, d := range doubts {
		h.lost = h.lost || d.gone
		if d.low != 0 {
			h.tops[envelope.Prefix(d.Topic)].suspect(d)
		}
	}
}

// end waits for the answers under way, and gives the lowest place of each stream that is in doubt.
func (h *highWater) end() (low map[string]uint64) {
	h.background.Wait()
	if h.asking {
		h.heard(<-h.answers)
	}
	low = map[string]uint64{}
	for stream, t := range h.tops {
		if t.doubt != nil {
			low[stream] = t.doubt.low
		}
	}
	return low
}
