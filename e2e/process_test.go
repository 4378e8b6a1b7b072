package e2e_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/internal/timingtest"
)

func TestOrderEventsReachTheHistory(t *testing.T) {
	t.Parallel()
	for name, broker := range map[string]string{"embedded": "embedded:", "memory": "memory:"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := start(t, "--data-dir="+t.TempDir(), "--broker-url="+broker).ready()
			_, user := n.register("ada@example.org")
			id := n.place(user, "X-Correlation-ID", "tour-1")
			a := n.send(user, http.MethodPost, "/api/orders/"+id+"/cancel", `{"reason":"changed my mind"}`, "X-Correlation-ID", "tour-1")
			require.Equal(t, http.StatusOK, a.status, a.body)
			a = n.send(user, http.MethodPost, "/api/orders/"+id+"/cancel", "")
			require.Equal(t, http.StatusOK, a.status, a.body)

			admin := n.admin()
			require.Equal(t, []string{"order.placed.v1", "order.cancelled.v1"}, n.types(admin, "correlation_id=tour-1", 2))
			require.Len(t, n.history(admin, "key="+id), 2, "the second cancellation is no event")
			for i, e := range n.history(admin, "key="+id) {
				require.EqualValues(t, i+1, e.Sequence)
				require.Equal(t, "/millrace/order", e.Source)
				require.Equal(t, "tour-1", e.CorrelationID)
			}
			require.Equal(t, http.StatusForbidden, n.get(user, "/api/events").status)
			require.Equal(t, http.StatusUnauthorized, n.get("", "/api/events").status)
			require.Zero(t, n.shut())
		})
	}
}

func TestDeletingAUserCancelsItsOrders(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir()).ready()
	userID, user := n.register("bob@example.org")
	const orders = 5
	for range orders {
		n.place(user)
	}
	a := n.send(user, http.MethodDelete, "/api/users/"+userID, "", "X-Correlation-ID", "deletion")
	require.Equal(t, http.StatusNoContent, a.status, a.body)

	admin := n.admin()
	n.types(admin, "correlation_id=deletion", 1+orders)
	events := n.history(admin, "correlation_id=deletion")
	require.Len(t, events, 1+orders)
	require.Equal(t, "user.deleted.v1", events[0].Type)
	for _, e := range events[1:] {
		require.Equal(t, "order.cancelled.v1", e.Type)
		require.Equal(t, events[0].ID, e.CausationID, "each cancellation names the deletion that caused it")
	}
	list := n.get(admin, "/api/orders?status=placed&user_id="+userID)
	require.JSONEq(t, `{"items":[]}`, list.body)
	require.Eventually(t, func() bool {
		a := n.send(admin, http.MethodPost, "/api/orders", `{"user_id":"`+userID+`",`+oneOrder[1:])
		return a.status == http.StatusConflict
	}, waitFor, tick, "orders of a deleted user are refused")
}

func TestOrdersEventsAndTokensSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, "--data-dir="+dir).ready()
	_, user := first.register("carl@example.org")
	id := first.place(user, "X-Correlation-ID", "before")
	require.Zero(t, first.shut())

	second := start(t, "--data-dir="+dir).ready()
	a := second.get(user, "/api/orders/"+id)
	require.Equal(t, http.StatusOK, a.status, a.body)
	admin := second.admin()
	require.Equal(t, []string{"order.placed.v1"}, second.types(admin, "correlation_id=before", 1))
	require.NotContains(t, second.out.String(), "admin was made", "the admin is made once")
}

func TestSecondProcessOnTheSameFolderIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, "--data-dir="+dir).ready()
	code, _, errs := runToEnd(t, "--http-addr=127.0.0.1:0", "--data-dir="+dir)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "is in use by process ")
	require.Contains(t, errs, "MILLRACE_DATA_DIR")
}

// An undecodable message ends in the poison queue of each consumer that takes it, and holds nothing up. Put back, it fails again.
func TestUndecodableMessageIsKeptAndCanBeRequeued(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	n := start(t, "--data-dir="+t.TempDir(), "--embedded-nats-addr="+addr, "--embedded-nats-password="+natsPassword).ready()
	_, user := n.register("dora@example.org")
	nc, err := nats.Connect("nats://"+addr, nats.UserInfo("millrace", natsPassword))
	require.NoError(t, err)
	defer nc.Close()
	require.NoError(t, nc.Publish("events.user.created.v1", []byte("\xff not JSON")))
	require.NoError(t, nc.Flush())

	admin := n.admin()
	poison := n.poison(admin, "status=open", 1)
	require.Equal(t, "order-customers", poison[0].Consumer)
	require.Equal(t, "events.user.created.v1", poison[0].Subject)
	require.Contains(t, poison[0].Reason, "cannot be decoded")
	id := n.place(user)
	n.types(admin, "key="+id, 1)
	require.Equal(t, []string{"user.created.v1", "user.created.v1", "user.created.v1"}, n.types(admin, "type=user.created.v1", 3),
		"the history keeps what cannot be decoded, beside the admin and the user")

	a := n.send(admin, http.MethodPost, "/api/poison/"+poison[0].ID+"/requeue", "")
	require.Equal(t, http.StatusOK, a.status, a.body)
	again := n.poison(admin, "status=open", 1)
	require.NotEqual(t, poison[0].ID, again[0].ID)
	require.Equal(t, poison[0].EventID, again[0].EventID, "requeued with its own event ID")
	require.Equal(t, poison[0].Subject, again[0].Subject, "and it is known where it came from first")
	require.Len(t, n.history(admin, "type=user.created.v1"), 3, "no other consumer sees it again")
	a = n.send(admin, http.MethodPost, "/api/poison/"+poison[0].ID+"/requeue", "")
	require.Equal(t, http.StatusConflict, a.status, a.body)
}

type poisoned struct {
	ID       string          `json:"id"`
	Status   string          `json:"status"`
	Consumer string          `json:"consumer"`
	EventID  string          `json:"event_id"`
	Subject  string          `json:"subject"`
	Reason   string          `json:"reason"`
	Data     json.RawMessage `json:"data"`
}

// poison waits for count entries of the poison queue.
func (n *node) poison(admin, query string, count int) (items []poisoned) {
	n.t.Helper()
	require.Eventually(n.t, func() bool {
		var page struct {
			Items []poisoned `json:"items"`
		}
		n.get(admin, "/api/poison?"+query).into(n.t, &page)
		items = page.Items
		return len(items) == count
	}, waitFor, tick, "%s", n.errs)
	return items
}

func TestDrainFinishesRunningRequests(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir()).ready()
	_, user := n.register("emil@example.org")
	placed := make(chan answer)
	go func() {
		for {
			a, err := n.try(user, http.MethodPost, "/api/orders", oneOrder)
			if err != nil {
				close(placed)
				return
			}
			placed <- a
		}
	}()
	for range 20 {
		require.Equal(t, http.StatusCreated, (<-placed).status)
	}
	n.stop()
	sawDraining := false
	for a := range placed {
		require.Equal(t, http.StatusCreated, a.status, "no request that was taken is cut off: %s", a.body)
		if ready, err := n.try("", http.MethodGet, "/readyz", ""); err == nil {
			sawDraining = sawDraining || ready.status == http.StatusServiceUnavailable
		}
	}
	require.True(t, sawDraining, "readiness fails before the listener closes")
	began := time.Now()
	require.Zero(t, n.shut())
	timingtest.Within(t, began, longestDrain, "the drain")
}

func TestStartWaitsForItsDatabase(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir(), "--database-url=mysql://nobody@127.0.0.1:1/", "--secret-key="+testSecret,
		"--broker-url=memory:")
	require.Eventually(t, func() bool { return n.get("", "/readyz").status == http.StatusServiceUnavailable }, waitFor, tick)
	require.Contains(t, n.get("", "/readyz").body, `"starting"`)
	require.Eventually(t, func() bool { return strings.Contains(n.get("", "/readyz").body, "could not be prepared yet") }, waitFor, tick,
		"it says what it waits for")
	require.Equal(t, http.StatusOK, n.get("", "/healthz").status)
	a := n.send("", http.MethodPost, "/api/users", `{"email":"a@example.org","name":"A","password":"correct horse battery"}`)
	require.Equal(t, http.StatusServiceUnavailable, a.status, a.body)
	require.NotEmpty(t, a.header.Get("Retry-After"))
	require.Contains(t, n.errs.String(), "not ready yet, trying again")
	require.Zero(t, n.shut())
}

func TestWritesSucceedWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir(), "--broker-url=nats://127.0.0.1:1")
	n.ready()
	_, user := n.register("frida@example.org")
	n.place(user)
	var report struct {
		Status string `json:"status"`
	}
	n.get("", "/readyz").into(t, &report)
	require.Equal(t, "degraded", report.Status)
	require.Eventually(t, func() bool {
		return strings.Contains(n.get("", "/metrics").body, "\nmillrace_outbox_backlog{service=\"order\"} 1\n")
	}, waitFor, tick, "what waits is counted")
	require.Zero(t, n.shut())
}

func TestMigrateCommandCreatesTheDatabases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, _, errs := runToEnd(t, "migrate", "--data-dir="+dir)
	require.Zero(t, code, errs)
	for _, name := range []string{"user", "order", "event"} {
		require.FileExists(t, filepath.Join(dir, "millrace_"+name+".db"))
	}
}

func TestUnknownFlagsAndCommandsExitWithUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--no-such-flag"}, {"no-such-command"}, {"--service=basket"}} {
		code, _, errs := runToEnd(t, args...)
		require.Equal(t, 2, code, "%s", args)
		require.Contains(t, errs, "millrace: ")
	}
}

func TestVersionHelpAndServicesArePrinted(t *testing.T) {
	t.Parallel()
	code, version, _ := runToEnd(t, "version")
	require.Zero(t, code)
	require.NotEmpty(t, version)
	code, out, _ := runToEnd(t, "--version")
	require.Zero(t, code)
	require.Equal(t, version, out)
	code, out, _ = runToEnd(t, "services")
	require.Zero(t, code)
	require.Equal(t, "user\norder\nevent\n", out)
	for _, help := range []string{"help", "--help"} {
		code, out, _ = runToEnd(t, help)
		require.Zero(t, code)
		require.Contains(t, out, "MILLRACE_DATABASE_URL", help)
		require.Contains(t, out, "migrate", help)
	}
}
