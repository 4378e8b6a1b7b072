package router

import (
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/envelope"
)

var requeueKey = envelope.NewRequeueKey([]byte("a key of these tests"))

// requeued returns metadata as the event service sends it back to order-customers.
func requeued(id string, metadata map[string]string, payload string) map[string]string {
	m := maps.Clone(metadata)
	m["test-subject"] = "requeue.order-customers"
	m[envelope.MetaSignature] = requeueKey.Sign("order-customers", id, m, []byte(payload))
	return m
}

func TestSignedMessageIsHandled(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	withRouter(t, func(*message.Message) error { calls.Add(1); return nil }, func(t *testing.T, r *fixture) {
		metadata := requeued(event1, map[string]string{envelope.MetaPoisonSubject: "events.user.updated.v1", envelope.MetaRound: "1"}, "{}")
		r.subscriber.send(event1, metadata, "{}")
		eventually(t, time.Second, r.acked(event1))
		require.EqualValues(t, 1, calls.Load())
	})
}

func TestForgedRequeueIsGivenUpUnhandled(t *testing.T) {
	t.Parallel()
	genuine := map[string]string{envelope.MetaPoisonSubject: "events.user.updated.v1", envelope.MetaRound: "1", envelope.MetaID: event1}
	for name, forge := range map[string]func(m map[string]string) (id, payload string){
		"without a signature":   func(m map[string]string) (string, string) { delete(m, envelope.MetaSignature); return event1, "{}" },
		"with an empty one":     func(m map[string]string) (string, string) { m[envelope.MetaSignature] = ""; return event1, "{}" },
		"with one that is none": func(m map[string]string) (string, string) { m[envelope.MetaSignature] = "?"; return event1, "{}" },
		"with one of another key": func(m map[string]string) (string, string) {
			sign(m, "another key", "order-customers")
			return event1, "{}"
		},
		"with another consumer's": func(m map[string]string) (string, string) {
			sign(m, "a key of these tests", "event-history")
			return event1, "{}"
		},
		"with another payload":  func(map[string]string) (string, string) { return event1, `{"role":"admin"}` },
		"with another event ID": func(map[string]string) (string, string) { return event2, "{}" },
		"with another first subject": func(m map[string]string) (string, string) {
			m[envelope.MetaPoisonSubject] = "events.user.deleted.v1"
			return event1, "{}"
		},
		"with another round": func(m map[string]string) (string, string) { m[envelope.MetaRound] = "9"; return event1, "{}" },
		"with more metadata": func(m map[string]string) (string, string) { m["actor"] = "root"; return event1, "{}" },
		"with less metadata": func(m map[string]string) (string, string) { delete(m, envelope.MetaID); return event1, "{}" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			withRouter(t, func(*message.Message) error { calls.Add(1); return nil }, func(t *testing.T, r *fixture) {
				metadata := requeued(event1, genuine, "{}")
				id, payload := forge(metadata)
				r.subscriber.send(id, metadata, payload)
				eventually(t, time.Second, r.acked(id))
				require.Zero(t, calls.Load(), "no handler sees it")
				require.Len(t, r.subscriber.resultsOf(id), 1, "it does not come back")
				given, _ := r.failures.givenUp()
				require.Len(t, given, 1)
				require.Equal(t, "requeue.order-customers", given[0].Subject, "where it came from, not what it claims")
				require.Contains(t, given[0].Reason, "MILLRACE_SECRET_KEY")
				require.NotEqual(t, id, given[0].Event.ID, "the true event keeps its place")
				require.Zero(t, given[0].Event.Sequence)
				require.Zero(t, given[0].Round)
				require.Equal(t, payload, string(given[0].Event.Data))
				require.Equal(t, metadata[envelope.MetaPoisonSubject], given[0].Metadata["millrace-claimed-subject"], "what it claimed is kept")
				require.Equal(t, metadata[envelope.MetaRound], given[0].Metadata["millrace-claimed-round"])
				require.Empty(t, given[0].Metadata[envelope.MetaPoisonSubject])
			})
		})
	}
}

// sign signs for event1 and an empty object.
func sign(m map[string]string, secret, consumer string) {
	m[envelope.MetaSignature] = envelope.NewRequeueKey([]byte(secret)).Sign(consumer, event1, m, []byte("{}"))
}

func TestRoundIsIgnoredOnOtherSubjects(t *testing.T) {
	t.Parallel()
	withRouter(t, func(*message.Message) error { return errInvalid }, func(t *testing.T, r *fixture) {
		r.subscriber.send(event1, map[string]string{envelope.MetaRound: "1000000"}, "{}")
		eventually(t, time.Second, r.acked(event1))
		given, _ := r.failures.givenUp()
		require.Len(t, given, 1)
		require.Zero(t, given[0].Round, "a claimed round would make later ones look superseded")
	})
}

func TestConsumerOfRequeuedMessagesNeedsTheKey(t *testing.T) {
	t.Parallel()
	r := newFixture(t, Config{})
	topics := []string{"events.user.>", "requeue.order-customers"}
	require.NoError(t, r.router.AddConsumer("order-customers", topics, r.subscriber, nil))
	require.ErrorContains(t, r.router.AddConsumer("keeper", []string{"requeue.keeper"}, r.subscriber, nil, NeverPoison()), "needs the key")
	r.router.cfg.Requeued = envelope.RequeueKey{}
	require.ErrorContains(t, r.router.AddConsumer("other", []string{"requeue.other"}, r.subscriber, nil), "needs the key")
}
