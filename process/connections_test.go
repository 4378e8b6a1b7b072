package process

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConnectionLimitLeavesDescriptorsFree(t *testing.T) {
	t.Parallel()
	for open, want := range map[uint64]int{0: 20_000, 64: 16, 256: 64, 1024: 683, 30_000: 20_000, 1 << 20: 20_000} {
		require.Equal(t, want, connectionLimit(open), "%d", open)
	}
}

// served runs a server whose handler waits for release, on a listener with a limit of 2.
func served(t *testing.T, release <-chan struct{}) (addr string) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	bound := newBounded(inner, 2, slog.New(slog.DiscardHandler))
	server := &http.Server{ReadHeaderTimeout: time.Minute, ConnState: bound.watch, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				<-release
			}
			_, _ = io.WriteString(w, "served")
		})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(bound) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-done, http.ErrServerClosed)
	})
	return inner.Addr().String()
}

// ask sends a request over a connection of its own, which stays open.
func ask(t *testing.T, addr, path string) (answer <-chan string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: here\r\n\r\n"))
	require.NoError(t, err)
	got := make(chan string, 1)
	go func() {
		buffer := make([]byte, 4096)
		length, _ := conn.Read(buffer)
		got <- string(buffer[:length])
	}()
	return got
}

func TestIdleConnectionMakesRoomForAnother(t *testing.T) {
	t.Parallel()
	addr := served(t, nil)
	for range 10 {
		require.Contains(t, <-ask(t, addr, "/"), "served")
	}
}

func TestConnectionOverTheLimitWaits(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	addr := served(t, release)
	first, second := ask(t, addr, "/slow"), ask(t, addr, "/slow")
	third := ask(t, addr, "/")
	select {
	case got := <-third:
		t.Fatalf("answered beside two others: %q", got)
	case <-time.After(300 * time.Millisecond):
	}
	close(release)
	for _, answer := range []<-chan string{first, second, third} {
		require.Contains(t, <-answer, "served")
	}
}
