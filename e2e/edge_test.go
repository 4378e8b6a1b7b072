package e2e_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRegistrationLimitSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	flags := []string{"--data-dir=" + dir, "--trusted-proxies=127.0.0.0/8"}
	n := start(t, flags...).ready()
	try := func(from string) answer { // too little for a registration, but asked
		return n.send("", http.MethodPost, "/api/users", `{}`, "X-Forwarded-For", from)
	}
	for range 30 {
		require.Equal(t, http.StatusUnprocessableEntity, try("192.0.2.7").status)
	}
	require.Zero(t, n.shut())
	n = start(t, flags...).ready()
	refused := false
	for range 30 { // some may have flown in, but not so many
		a := try("192.0.2.7")
		refused = refused || a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") != ""
	}
	require.True(t, refused)
	require.Equal(t, http.StatusUnprocessableEntity, try("192.0.2.8").status, "another address")

	off := start(t, "--data-dir="+t.TempDir(), "--rate-limits=off").ready()
	for range 70 {
		require.Equal(t, http.StatusUnprocessableEntity, off.send("", http.MethodPost, "/api/users", `{}`).status)
	}
}

func TestRequestWithTheSameIdempotencyKeyIsReplayed(t *testing.T) {
	t.Parallel()
	flags := []string{"--data-dir=" + t.TempDir()}
	n := start(t, flags...).ready()
	_, user := n.register("ada@example.org")
	registration := `{"email":"bob@example.org","name":"Bob","password":"` + adminPassword + `"}`
	order := n.send(user, http.MethodPost, "/api/orders", oneOrder, "Idempotency-Key", "my order")
	require.Equal(t, http.StatusUnprocessableEntity, order.status, "a blank is not visible")
	order = n.send(user, http.MethodPost, "/api/orders", oneOrder, "Idempotency-Key", "my-order")
	require.Equal(t, http.StatusCreated, order.status, order.body)
	require.Empty(t, order.header.Get("Idempotency-Replayed"))
	bob := n.send("", http.MethodPost, "/api/users", registration, "Idempotency-Key", "my-order")
	require.Equal(t, http.StatusCreated, bob.status, bob.body)
	require.Zero(t, n.shut())

	n = start(t, flags...).ready()
	requireReplay := func(first, again answer) {
		require.Equal(t, first.status, again.status, again.body)
		require.Equal(t, first.body, again.body)
		require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
		for _, name := range []string{"Location", "ETag", "Content-Type", "Cache-Control"} {
			require.NotEmpty(t, first.header.Get(name))
			require.Equal(t, first.header.Get(name), again.header.Get(name))
		}
	}
	requireReplay(order, n.send(user, http.MethodPost, "/api/orders", oneOrder, "Idempotency-Key", "my-order"))
	requireReplay(bob, n.send("", http.MethodPost, "/api/users", registration, "Idempotency-Key", "my-order"))
	require.Len(t, n.types(n.admin(), "type=order.placed.v1", 1), 1)
}
