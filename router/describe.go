package router

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"github.com/millrace/millrace/app/envelope"
)

// describe gives err as one line and, where it was a panic, its stack. Watermill's Recoverer, innermost of the stack, makes panics
// into errors.
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
