package router

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"github.com/millrace/millrace/app/envelope"
)

// describe returns err as one line and, if it was a panic, the stack. Watermill's Recoverer, the innermost middleware, turns panics into
// errors.
func describe(err error) (reason, stack string) {
	reason = err.Error()
	if p, ok := errors.AsType[middleware.RecoveredPanicError](err); ok {
		reason, stack = fmt.Sprintf("panic: %v", p.V), p.Stacktrace
	}
	reason = strings.Join(strings.Fields(reason), " ")
	if len(reason) > envelope.MaxReason {
		reason = strings.ToValidUTF8(reason[:envelope.MaxReason], "")
	}
	return reason, stack
}
