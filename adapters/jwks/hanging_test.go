package jwks_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/internal/timingtest"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/app/fault"
)

// How long a condition is waited for, and how often it is looked at.
const (
	waitFor = time.Minute // no machine is so slow
	tick    = 10 * time.Millisecond
)

// soon is far above what may be waited for a key server that hangs, and below what one request after the other would wait.
const soon = 2500 * time.Millisecond

// hangingServers accept a connection and never get to the end of an answer.
var hangingServers = map[string]func(t *testing.T) (url string, asked *atomic.Int32){
	"accepts and never answers": func(t *testing.T) (string, *atomic.Int32) {
		t.Helper()
		var asked atomic.Int32
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				asked.Add(1)
				t.Cleanup(func() { _ = conn.Close() })
			}
		}()
		t.Cleanup(func() {
			_ = listener.Close()
			<-ended
		})
		return "http://" + listener.Addr().String(), &asked
	},
	"trickles": func(t *testing.T) (string, *atomic.Int32) {
		t.Helper()
		var asked atomic.Int32
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(" "))
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(50 * time.Millisecond):
				}
			}
		}))
		t.Cleanup(s.Close)
		return s.URL, &asked
	},
}

func TestHangingKeyServerHoldsUpNoRequestForLong(t *testing.T) {
	t.Parallel()
	for name, hang := range hangingServers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			url, asked := hang(t)
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			remote := jwks.NewRemote(url, client, time.Now)
			verifier := jwks.NewVerifier(remote, f.clock.now)
			token := f.issue(t)

			began := time.Now()
			var requests sync.WaitGroup
			for range 10 {
				requests.Go(func() {
					_, err := verifier.Verify(t.Context(), token)
					require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
				})
			}
			require.Equal(t, fault.Unavailable, fault.KindOf(remote.Ready(t.Context())))
			timingtest.Within(t, began, soon, "readiness, which is answered from what is known")
			requests.Wait()
			timingtest.Within(t, began, soon, "ten requests, which share one load and give it up early")
			require.EqualValues(t, 1, asked.Load())
			require.Eventually(t, func() bool {
				return remote.Ready(t.Context()) != nil && asked.Load() > 1
			}, waitFor, tick, "a load ends by itself, and another follows")
		})
	}
}

func TestHangingKeyServerHoldsUpNoRequestWhoseKeyIsKnown(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s := serve(t, f)
	var hangs atomic.Bool
	var asked atomic.Int32
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hangs.Load() {
			asked.Add(1)
			<-r.Context().Done()
			return
		}
		s.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	verifier := jwks.NewVerifier(jwks.NewRemote(front.URL, front.Client(), f.clock.now), f.clock.now)
	_, err := verifier.Verify(t.Context(), f.issue(t))
	require.NoError(t, err)
	hangs.Store(true)
	for i := range 5 {
		f.clock.pass(6 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), waitFor)
		began := time.Now()
		_, err = verifier.Verify(ctx, f.issue(t))
		require.NoError(t, err)
		timingtest.Within(t, began, soon, "a request whose key is known")
		cancel()
		require.Eventually(t, func() bool { return asked.Load() > 0 }, waitFor, tick, "it is asked all the same, %d", i)
	}
}
