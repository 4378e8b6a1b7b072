package command

import (
	"context"

	"github.com/millrace/millrace/app/envelope"
)

// PassOver takes note of an event that means nothing to orders.
type PassOver struct{ Event envelope.Envelope }

// PassOverHandler handles PassOver.
type PassOverHandler struct{ inbox Inbox }

// NewPassOverHandler returns a handler on inbox.
func NewPassOverHandler(inbox Inbox) *PassOverHandler { return &PassOverHandler{inbox: inbox} }

// Handle remembers the event and does nothing else: without it, the next event of its key would wait for the missing number.
func (h *PassOverHandler) Handle(ctx context.Context, c PassOver) error {
	return h.inbox.Apply(ctx, c.Event, func(context.Context, Tx, bool) error { return nil })
}
