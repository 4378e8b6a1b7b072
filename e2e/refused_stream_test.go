package e2e_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/natsjs/natstest"
)

// A stream that is full refuses everything. That is told with its cause, costs the broker next to nothing, and ends by itself.
func TestFullStreamIsReportedAndRetriedWithBackoff(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	n := start(t, "--data-dir="+t.TempDir(), "--broker-url="+server.URL()).ready()
	_, user := n.register("frida@example.org")
	n.place(user)
	require.Eventually(t, func() bool { return n.metric("millrace_outbox_published_total", "order") == 1 }, waitFor, tick)

	nc, err := nats.Connect(server.URL())
	require.NoError(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), "EVENTS")
	require.NoError(t, err)
	usual := stream.CachedInfo().Config
	full := usual
	full.Discard, full.MaxMsgs = jetstream.DiscardNew, int64(stream.CachedInfo().State.Msgs)
	_, err = js.UpdateStream(t.Context(), full)
	require.NoError(t, err)

	const orders = 100
	began := time.Now()
	for range orders { // each is a key of its own
		n.place(user)
	}
	var broker check
	require.Eventually(t, func() bool {
		broker = n.check("order_broker")
		return broker.Status != "ok"
	}, waitFor, tick)
	require.Contains(t, broker.Detail, "stream events")
	require.Contains(t, broker.Detail, "maximum messages exceeded")
	require.InDelta(t, 1, n.metric(`millrace_outbox_refused`, "order"), 0)
	require.Eventually(t, func() bool { return time.Since(began) > 10*time.Second }, waitFor, tick)
	failed := n.metric("millrace_outbox_failed_total", "order")
	require.LessOrEqual(t, failed, orders+time.Since(began).Seconds(), "each order at most once, and then one probe for each pause")
	require.Equal(t, 1, strings.Count(n.errs.String(), "broker refuses a stream's messages"), "told once")

	usual.MaxMsgs = -1
	_, err = js.UpdateStream(t.Context(), usual)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return n.metric("millrace_outbox_published_total", "order") == orders+1 }, waitFor, tick)
	require.Eventually(t, func() bool { return n.check("order_broker").Status == "ok" }, waitFor, tick)
}

// metric reads a value of a service.
func (n *node) metric(name, service string) float64 {
	n.t.Helper()
	found := regexp.MustCompile(`(?m)^` + name + `\{service="` + service + `"(?:,stream="events")?\} (\S+)$`).
		FindStringSubmatch(n.get("", "/metrics").body)
	if found == nil {
		return 0
	}
	value, err := strconv.ParseFloat(found[1], 64)
	require.NoError(n.t, err)
	return value
}

// check reads one check of the readiness report.
func (n *node) check(name string) check {
	n.t.Helper()
	var report struct {
		Checks map[string]check `json:"checks"`
	}
	n.get("", "/readyz").into(n.t, &report)
	return report.Checks[name]
}
