package relay

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Broker is what the relay publishes to.
type Broker interface {
	// PublishAsync sends msg and returns without waiting for the broker. done is called exactly once, in any goroutine, also before
	// PublishAsync returns: with the place in the stream that the broker's acknowledgement gave, or with an error, behind which the
	// message may be stored all the same. It comes within a time limit of the broker's, or with the next reconnection. The
	// acknowledgements of a stream come in the order of its places, except for messages that it had before.
	PublishAsync(topic string, msg *message.Message, done func(streamSequence uint64, err error))
	// Holds reports whether the stream that takes topic has the message with that ID (the one it tells repeats by) at that place.
	Holds(ctx context.Context, topic string, streamSequence uint64, messageID string) (bool, error)
	// Connected reports whether the broker can be reached, as far as known. Between two connections it must be false for long enough
	// to be seen, at least 50 ms: a broker that comes back may have lost what it acknowledged last.
	Connected() bool
}
