package router

import (
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
)

// consumer is the middleware stack of one consumer.
type consumer struct {
	name        string
	neverPoison bool
	cfg         Config
	gate        *gate
	metrics     *metrics
	closing     <-chan struct{}
}

// ConsumerOption changes how one consumer treats its messages.
type ConsumerOption func(*consumer)

// NeverPoison makes a consumer try for ever, with a growing delay, what others would give up: the keeper of the poison queue has
// none behind it.
func NeverPoison() ConsumerOption { return func(c *consumer) { c.neverPoison = true } }

// stack gives the middlewares, the outermost first. The order matters: whoever gives up must be outside of whoever tries again, and
// a panic must have become an error before either sees it.
func (c *consumer) stack() []message.HandlerMiddleware {
	return []message.HandlerMiddleware{c.correlate, c.trace, c.observe, c.poison, c.retry, c.attempt, middleware.Recoverer}
}

func (c *consumer) isClosing() bool {
	select {
	case <-c.closing:
		return true
	default:
		return false
	}
}
