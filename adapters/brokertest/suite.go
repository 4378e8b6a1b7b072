// Package brokertest is what every broker must pass: the promises that the rest of the system is built on.
package brokertest

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Publisher is a broker's publisher, as Watermill and the relay use it.
type Publisher interface {
	message.Publisher
	PublishAsync(topic string, msg *message.Message, done func(streamSequence uint64, err error))
	Holds(ctx context.Context, topic string, streamSequence uint64, messageID string) (bool, error)
	Connected() bool
}

// Consumer is one subscriber on a durable consumer.
type Consumer struct {
	Name          string
	InFlight      int // 0: the broker's default
	AckWait       time.Duration
	HandlingLimit time.Duration // 0: none
	CloseTimeout  time.Duration // 0: the broker's default
}

// Broker makes what is tested. Publishers and whatever lies below them are closed at the end of the test; subscribers are closed by
// the suite.
type Broker interface {
	Publisher(t *testing.T) Publisher
	EnsureConsumer(ctx context.Context, name string, ackWait time.Duration, filters ...string) (complete bool, err error)
	Subscriber(t *testing.T, c Consumer) message.Subscriber
}

// Restarter is a broker that can be killed without warning and started again on what it has stored.
type Restarter interface {
	Kill()
	Start()
}

// Run holds a broker against the suite. setup makes a fresh, empty one.
func Run(t *testing.T, setup func(t *testing.T) Broker) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Broker){
		"a nacked message comes back":                                      nackRedelivers,
		"a put-back message comes back after its delay":                    putBackDelay,
		"a left message comes back after the ack wait":                     leaveRedelivers,
		"a message in handling beyond the ack wait comes once":             heartbeats,
		"a message waiting for its key beyond the ack wait comes once":     heartbeatsWhileWaiting,
		"a message handled beyond the limit comes again":                   handlingLimit,
		"a thousand put-back messages of one key delay no other key":       putBackDelaysNobody,
		"two consumers both get every message":                             twoGroups,
		"two subscribers of one consumer share its messages":               oneGroupShares,
		"a consumer goes on where it was":                                  durable,
		"a consumer begins with the first message":                         complete,
		"a consumer gets the subjects of its filter":                       filters,
		"messages of one key come one after the other, other keys at once": keys,
		"a key is handled once at a time across topics":                    keysAcrossTopics,
		"a slow row of one key delays no other key":                        slowKey,
		"closing waits for handlers, loses and doubles nothing":            closeWhileHandling,
		"closing ends contexts only after its timeout":                     closeTimeout,
		"an ended subscription context closes the subscription":            contextCloses,
		"closing twice and subscribing after it":                           closeTwice,
		"a repeat is stored once":                                          duplicates,
		"poison arrives inside the duplicate window of its event":          poisonInsideWindow,
		"a requeued message reaches one consumer":                          requeueReachesOne,
		"an asynchronous publish is answered exactly once":                 doneOnce,
		"publishing from done does not block":                              publishFromDone,
		"the stream holds what it acknowledged":                            holds,
		"a message keeps its identity":                                     identity,
		"metadata and payload arrive as they were":                         roundTrip,
		"what would not arrive as it is, is refused":                       refused,
		"a delivery says where it came from":                               deliveries,
		"restarts under load lose nothing":                                 restartUnderLoad,
		"an asynchronous publish is answered once though the broker dies":  doneOnceThoughKilled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, setup(t))
		})
	}
}
