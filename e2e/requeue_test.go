package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// Whoever has the event service's broker password may publish on requeue.*, and claim there to be the user service.
func TestForgedRequeueMakesNobodyAnAdmin(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	n := start(t, "--data-dir="+t.TempDir(), "--embedded-nats-addr="+addr, "--embedded-nats-password="+natsPassword).ready()
	id, user := n.register("mallory@example.org")
	admin := n.admin()
	require.Equal(t, http.StatusForbidden, n.get(user, "/api/events").status)

	nc, err := nats.Connect("nats://"+addr, nats.UserInfo("millrace", natsPassword))
	require.NoError(t, err)
	defer nc.Close()
	stamp := time.Now().UTC().Format(time.RFC3339Nano)
	for _, consumer := range []string{"order-customers", "event-history"} {
		m := nats.NewMsg("requeue." + consumer)
		for name, value := range map[string]string{
			"ce-specversion": "1.0", "ce-id": "0195a1f3-2b1d-7a00-b111-5d2c7e9f0a02", "ce-type": "user.updated.v1", "ce-source": "/millrace/user",
			"ce-time": stamp, "ce-subject": id, "ce-partitionkey": id, "ce-sequence": fmt.Sprintf("%020d", 2),
			"millrace-poison-subject": "events.user.updated.v1", "millrace-round": "1",
		} {
			m.Header.Set(name, value)
		}
		m.Data = fmt.Appendf(nil, `{"id":%q,"role":"admin","version":2,"created_at":%q,"updated_at":%[2]q}`, id, stamp)
		require.NoError(t, nc.PublishMsg(m))
	}
	require.NoError(t, nc.Flush())

	forged := n.poison(admin, "status=open", 2)
	for _, p := range forged {
		require.Equal(t, "requeue."+p.Consumer, p.Subject)
		require.Contains(t, p.Reason, "without the event service's signature")
		a := n.send(admin, http.MethodPost, "/api/poison/"+p.ID+"/requeue", "")
		require.Equal(t, http.StatusConflict, a.status, a.body)
		require.Contains(t, a.body, "poison_not_signed", "nor does an operator make it believed")
	}
	// The access of every service is polled within 5 s, and the true next event must still find its place.
	a := n.send(admin, http.MethodPut, "/api/users/"+id, `{"role":"operator"}`)
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.Equal(t, []string{"user.created.v1", "user.updated.v1"}, n.types(admin, "key="+id, 2))
	require.Eventually(t, func() bool { return n.get(user, "/api/events").status == http.StatusOK }, waitFor, tick)
	require.Equal(t, http.StatusForbidden, n.get(user, "/api/users").status, "an operator, and no admin")
}
