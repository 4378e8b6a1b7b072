package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRegistrationsAreLimitedPerAddressAndARestartForgetsNothing(t *testing.T) {
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
