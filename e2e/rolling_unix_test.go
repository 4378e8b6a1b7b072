//go:build unix

package e2e_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The whole number of requests, with probes as rare as in docker-compose.yml, takes most of a minute: it runs with CI=true. Otherwise the
// same is done faster, with fewer.
func TestRollingRestartFailsNoRequest(t *testing.T) {
	t.Parallel()
	if os.Getenv("CI") != "true" {
		rollingRestart(t, time.Second, "1500ms", 2000)
		return
	}
	for name, probes := range map[string]time.Duration{"probes each second": time.Second, "probes each 5 seconds": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rollingRestart(t, probes, "6s", 13_000)
		})
	}
}

// rollingRestart restarts two replicas of the order service, one after the other, while orders are placed through a proxy that probes them.
func rollingRestart(t *testing.T, probes time.Duration, delay string, requests int64) {
	t.Helper()
	const key = "--secret-key=" + testSecret
	user := start(t, "--service=user", "--broker-url=memory:", "--rate-limits=off", key, "--data-dir="+t.TempDir()).ready()
	_, token := user.register("ada@example.org")
	var replicas [2]*node
	var flags [2][]string
	front := &balancer{}
	for i := range replicas {
		flags[i] = []string{
			"--service=order", "--broker-url=memory:", "--rate-limits=off", key, "--data-dir=" + t.TempDir(), "--drain-delay=" + delay,
			"--jwks-url=" + user.url + "/.well-known/jwks.json", "--http-addr=" + freeAddr(t),
		}
		replicas[i] = start(t, flags[i]...).ready()
		front.add(t, replicas[i].url)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	front.probe(ctx, t, probes)
	proxy := httptest.NewServer(front)
	t.Cleanup(proxy.Close)

	load := startLoad(ctx, proxy.URL, token)
	for i := range replicas {
		before := load.sent.Load()
		require.Zero(t, replicas[i].shut(), "%s", replicas[i].errs)
		replicas[i] = start(t, flags[i]...)
		require.Eventually(t, func() bool { return front.backends[i].taken.Load() }, waitFor+probes, tick, "the proxy takes it back")
		require.Greater(t, load.sent.Load(), before)
	}
	require.Eventually(t, func() bool { return load.sent.Load() >= requests }, 3*time.Minute, tick)
	stop()
	load.senders.Wait()
	require.Empty(t, load.failures(), "of %d requests", load.sent.Load())
	t.Logf("%d requests, none failed", load.sent.Load())
}

// balancer sends requests to its backends in turn, without trying any a second time. A backend whose last probe failed gets none.
type balancer struct {
	backends []*backend
	turn     atomic.Uint64
}

type backend struct {
	url   string
	proxy *httputil.ReverseProxy
	taken atomic.Bool
}

func (b *balancer) add(t *testing.T, raw string) {
	t.Helper()
	target, err := url.Parse(raw)
	require.NoError(t, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	added := &backend{url: raw, proxy: &httputil.ReverseProxy{
		Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
	}}
	added.taken.Store(true)
	b.backends = append(b.backends, added)
}

// probe asks each backend for its readiness until ctx ends, each for itself.
func (b *balancer) probe(ctx context.Context, t *testing.T, every time.Duration) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	var probing sync.WaitGroup
	for _, to := range b.backends {
		probing.Go(func() {
			again := time.NewTicker(every)
			defer again.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-again.C:
				}
				res, err := client.Get(to.url + "/readyz")
				to.taken.Store(err == nil && res.StatusCode == http.StatusOK)
				if err == nil {
					_ = res.Body.Close()
				}
			}
		})
	}
	t.Cleanup(probing.Wait)
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	turn := b.turn.Add(1)
	for i := range b.backends {
		if to := b.backends[(turn+uint64(i))%uint64(len(b.backends))]; to.taken.Load() {
			to.proxy.ServeHTTP(w, r)
			return
		}
	}
	http.Error(w, "no backend", http.StatusBadGateway)
}

// load places orders until its ctx ends, some 400 a second.
type load struct {
	senders sync.WaitGroup
	sent    atomic.Int64

	mu     sync.Mutex
	failed []string
}

func startLoad(ctx context.Context, url, token string) *load {
	l := &load{}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: waitFor}
	const senders = 8
	for range senders {
		l.senders.Go(func() {
			defer client.CloseIdleConnections()
			pace := time.NewTicker(20 * time.Millisecond)
			defer pace.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-pace.C:
				}
				l.send(client, url, token)
			}
		})
	}
	return l
}

func (l *load) send(client *http.Client, url, token string) {
	req, err := http.NewRequest(http.MethodPost, url+"/api/orders", strings.NewReader(oneOrder))
	if err != nil {
		l.fail(err.Error())
		return
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := client.Do(req)
	if err != nil {
		l.fail(err.Error())
		return
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusCreated {
		l.fail(res.Status + " " + string(body))
		return
	}
	l.sent.Add(1)
}

func (l *load) fail(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, why)
}

func (l *load) failures() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}
