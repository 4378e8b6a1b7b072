package natsjs_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/internal/timingtest"

	"github.com/millrace/millrace/adapters/brokertest"
	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/adapters/natsjs/natstest"
)

const patient = time.Minute // no machine is so slow

func brokertestConsumer(name string) brokertest.Consumer {
	return brokertest.Consumer{Name: name, AckWait: 30 * time.Second}
}

// subscribe reads as a consumer until the test ends.
func subscribe(t *testing.T, conn *natsjs.Conn, c brokertest.Consumer, topic string) <-chan *message.Message {
	t.Helper()
	s := broker{conn}.Subscriber(t, c)
	messages, err := s.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return messages
}

// next waits for a message and acknowledges it.
func next(t *testing.T, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg := <-messages:
		msg.Ack()
		return msg
	case <-time.After(patient):
		require.FailNow(t, "no message arrived")
		return nil
	}
}

func TestConsumerDeletedUnderItsSubscriberIsMadeAgain(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn := connect(t, server.URL())
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	messages := subscribe(t, conn, brokertestConsumer("one"), topic)
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{})
	before, _ := publish(t, publisher, topic)
	require.Equal(t, before, next(t, messages).UUID)
	_, js := outside(t, server.URL())
	require.NoError(t, js.DeleteConsumer(t.Context(), "EVENTS", "one"))
	after, _ := publish(t, publisher, topic)
	seen := map[string]bool{}
	for !seen[after] || !seen[before] { // a new durable begins anew: what was handled comes again
		seen[next(t, messages).UUID] = true
	}
}

func TestSubscriberWaitsForABrokerAndStreamsThatAreNotThereYet(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	server.Kill()
	conn := connect(t, server.URL())
	require.False(t, conn.Connected())
	messages := subscribe(t, conn, brokertestConsumer("one"), topic)
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{})
	require.ErrorIs(t, publisher.Publish(topic, message.NewMessage(uuid.NewString(), nil)), natsjs.ErrAway)
	server.Start()
	require.Eventually(t, conn.Connected, patient, 10*time.Millisecond)
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	id, _ := publish(t, publisher, topic)
	require.Equal(t, id, next(t, messages).UUID)
}

func TestWhateverIsOnTheWireReachesAHandler(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn := connect(t, server.URL())
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	messages := subscribe(t, conn, brokertestConsumer("one"), topic)
	nc, _ := outside(t, server.URL())
	require.NoError(t, nc.PublishMsg(&nats.Msg{Subject: topic, Data: []byte("several"), Header: nats.Header{"several": {"a", "b"}}}))
	msg := next(t, messages)
	require.Equal(t, "a, b", msg.Metadata.Get("several"))

	raw, err := net.Dial("tcp", strings.TrimPrefix(server.URL(), "nats://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = raw.Close() })
	for i, header := range []string{"NATS/1.0\r\nno colon\r\n\r\n", "nonsense", "NATS/1.0\r\nce-id: \xff\xfe\r\n\r\n", "\r\n\r\n"} {
		body := fmt.Sprintf("body %d", i)
		_, err = fmt.Fprintf(raw, "CONNECT {\"headers\":true,\"verbose\":false}\r\nHPUB %s %d %d\r\n%s%s\r\n",
			topic, len(header), len(header)+len(body), header, body)
		require.NoError(t, err)
		msg := next(t, messages)
		require.Equal(t, body, string(msg.Payload))
		require.NoError(t, uuid.Validate(msg.UUID))
	}
}

func TestPauseOfTheServerIsALossOfTheConnection(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn := connect(t, server.URL())
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{AckTimeout: time.Second})
	messages := subscribe(t, conn, brokertestConsumer("one"), topic)
	first, _ := publish(t, publisher, topic)
	require.Equal(t, first, next(t, messages).UUID)

	pause(t, server)
	began := time.Now()
	answers := make(chan error, 1000)
	large := make([]byte, 100<<10) // together more than the socket takes
	for range cap(answers) {
		publisher.PublishAsync(topic, message.NewMessage(uuid.NewString(), large), func(_ uint64, err error) { answers <- err })
	}
	failed := 0
	for range cap(answers) {
		if <-answers != nil {
			failed++
		}
	}
	require.Greater(t, failed, cap(answers)/2) // the first may still have been under way to a server that ran
	timingtest.Within(t, began, 30*time.Second, "publishing to a server that stands still")
	resume(t, server)
	require.Eventually(t, func() bool {
		return conn.Connected() && publisher.Publish(topic, message.NewMessage("00000000-0000-4000-8000-000000000001", nil)) == nil
	}, patient, 50*time.Millisecond)
	for next(t, messages).UUID != "00000000-0000-4000-8000-000000000001" {
		continue // whatever of the others was stored
	}
}

func TestClosingDoesNotWaitForABrokerThatIsAway(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn := connect(t, server.URL())
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	publisher := newPublisher(t, conn, natsjs.PublisherConfig{})
	s := broker{conn}.Subscriber(t, brokertestConsumer("one"))
	messages, err := s.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	publish(t, publisher, topic)
	publish(t, publisher, topic)
	msg := <-messages
	server.Kill()
	require.Eventually(t, func() bool { return !conn.Connected() }, patient, time.Millisecond)
	began := time.Now()
	msg.Ack()
	require.NoError(t, s.Close())
	require.NoError(t, publisher.Close())
	timingtest.Within(t, began, 3*time.Second, "closing")
}
