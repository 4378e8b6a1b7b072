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

// outcome is what became of one delivery; a metrics label.
type outcome string

const (
	handled  outcome = "handled"
	poisoned outcome = "poisoned"
	failed   outcome = "failed" // and comes back
	early    outcome = "early"
	paused   outcome = "paused"
	left     outcome = "left"
	// superseded is a failure of a round after which the event was requeued and tried again: it is acknowledged.
	superseded outcome = "superseded"
)

// handling is what the middlewares tell each other about the delivery they work on.
type handling struct {
	event    envelope.Envelope
	delivery *delivery.Delivery
	subject  string

	refused  error   // it is not believed, and given up without being handled
	attempts int     // in this delivery
	total    int     // in this round, as far as they were counted
	outcome  outcome // set by poison
}

type handlingKey struct{}

// begin makes the handling of msg and puts it into msg's context.
func (c *consumer) begin(ctx context.Context, msg *message.Message) (context.Context, *handling) {
	d := delivery.From(ctx)
	h := &handling{
		event:    envelope.Parse(msg.UUID, msg.Metadata, msg.Payload),
		delivery: d,
		subject:  d.Subject,
		outcome:  failed,
	}
	if h.subject == "" {
		h.subject = message.SubscribeTopicFromCtx(ctx)
	}
	if isRequeued(h.subject) && !c.cfg.Requeued.Signed(c.name, msg.UUID, msg.Metadata, msg.Payload) {
		h.refuse(c.name, msg)
	}
	return context.WithValue(ctx, handlingKey{}, h), h
}

// of gives the handling that begin put into msg's context.
func of(msg *message.Message) *handling {
	h, _ := msg.Context().Value(handlingKey{}).(*handling)
	return h
}

// round is how often msg was requeued. A message on any other subject was not, whatever it claims.
func (h *handling) round(metadata message.Metadata) int {
	if !isRequeued(h.subject) {
		return 0
	}
	n, err := strconv.Atoi(metadata.Get(envelope.MetaRound))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// isRequeued reports whether a subject is one of those on which messages go back to their consumer.
func isRequeued(subject string) bool { return strings.HasPrefix(subject, envelope.RequeueTopic("")) }

// Origin returns where msg came from first: a requeued message brings that along. The router has checked that the event service signed
// it before any handler sees it.
func Origin(subject string, metadata message.Metadata) string {
	if first := metadata.Get(envelope.MetaPoisonSubject); first != "" && isRequeued(subject) {
		return first
	}
	return subject
}

// back asks for another delivery after d.
func (h *handling) back(o outcome, d time.Duration) {
	h.outcome = o
	h.delivery.SetNackDelay(d)
}

// leave asks for no answer to the broker at all.
func (h *handling) leave() {
	h.outcome = left
	h.delivery.LeaveUnacknowledged()
}
