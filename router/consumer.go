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
	breaker     *circuitBreaker
	metrics     *metrics
	closing     <-chan struct{}
	unstored    repeatedLog // of failures that could not be stored
}

// ConsumerOption configures one consumer.
type ConsumerOption func(*consumer)

// NeverPoison makes a consumer retry forever, with a growing delay, instead of giving up: the consumer of the poison queue has no poison
// queue of its own.
func NeverPoison() ConsumerOption { return func(c *consumer) { c.neverPoison = true } }

// stack returns the middlewares, the outermost first. The order matters: giving up is outside of retrying, and a panic becomes an error
// before either sees it.
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
