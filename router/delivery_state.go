package router

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/delivery"
	"github.com/millrace/millrace/app/envelope"
)

// outcome is the result of one delivery, and a metric label.
type outcome string

const (
	handled     outcome = "handled"
	poisoned    outcome = "poisoned"
	failed      outcome = "failed" // and will be redelivered
	early       outcome = "early"
	paused      outcome = "paused"
	leftUnacked outcome = "left"
	// superseded is the failure of a round after which the event was requeued again: it is acknowledged.
	superseded outcome = "superseded"
)

// deliveryState is what the middlewares share about the delivery that they handle.
type deliveryState struct {
	event    envelope.Envelope
	delivery *delivery.Delivery
	subject  string

	rejected error   // why the message is given up without being handled
	attempts int     // in this delivery
	total    int     // in this round, once they were counted
	outcome  outcome // set by handleFailure
	unstored bool    // the failure could not be stored, which was logged
}

type stateKey struct{}

// begin returns ctx with the new deliveryState of msg.
func (c *consumer) begin(ctx context.Context, msg *message.Message) (context.Context, *deliveryState) {
	d := delivery.From(ctx)
	h := &deliveryState{
		event:    envelope.Parse(msg.UUID, msg.Metadata, msg.Payload),
		delivery: d,
		subject:  d.Subject,
		outcome:  failed,
	}
	if h.subject == "" {
		h.subject = message.SubscribeTopicFromCtx(ctx)
	}
	if isRequeued(h.subject) && !c.cfg.Requeued.Signed(c.name, msg.UUID, msg.Metadata, msg.Payload) {
		h.reject(c.name, msg)
	}
	return context.WithValue(ctx, stateKey{}, h), h
}

// stateOf returns the deliveryState that begin stored in the context of msg.
func stateOf(msg *message.Message) *deliveryState {
	h, _ := msg.Context().Value(stateKey{}).(*deliveryState)
	return h
}

// round returns how often the message was requeued. On any other subject it is 0, whatever the metadata claims.
func (h *deliveryState) round(metadata message.Metadata) int {
	if !isRequeued(h.subject) {
		return 0
	}
	n, err := strconv.Atoi(metadata.Get(envelope.MetaRound))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// isRequeued reports whether messages on the subject go back to the one consumer that failed.
func isRequeued(subject string) bool { return strings.HasPrefix(subject, envelope.RequeueTopic("")) }

// Origin returns the subject that a message was first published on. A requeued message carries it, and the router verifies its signature
// before any handler sees it.
func Origin(subject string, metadata message.Metadata) string {
	if first := metadata.Get(envelope.MetaPoisonSubject); first != "" && isRequeued(subject) {
		return first
	}
	return subject
}

// redeliver sets the outcome and requests another delivery after d.
func (h *deliveryState) redeliver(o outcome, d time.Duration) {
	h.outcome = o
	h.delivery.SetNackDelay(d)
}

// leaveUnacknowledged leaves the message neither acked nor nacked.
func (h *deliveryState) leaveUnacknowledged() {
	h.outcome = leftUnacked
	h.delivery.LeaveUnacknowledged()
}
