package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// How many malformed requests are sent, in how many lines, and how long one may take.
const (
	malformedCases   = 12_000
	malformedLines   = 8
	malformedPatient = 20 * time.Second
)

// Whatever anybody sends, signed in or not, the process answers it as the sender's mistake, repeats nothing of it, and goes on as before.
func TestMalformedRequestsAreRefusedWithoutHarm(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir(), "--rate-limits=off").ready()
	_, user := n.register("ada@example.org")
	order := n.place(user)
	admin := n.admin()
	m := &maker{
		Rand: rand.New(rand.NewPCG(20_261_122, 1)), routes: slices.Sorted(slices.Values(documented(t, n))), bodies: bodiesOf(rights),
		//nolint:gosec // the same each time
		tokens: []string{"", user, user, admin}, ids: []string{order, "018f3b1c-9c3a-7c1e-8b56-0a4c5d9e2f10", "me"},
	}
	goroutines, heap := n.gauge("go_goroutines"), n.liveHeap()

	cases := make(chan malformed)
	go func() {
		defer close(cases)
		for range malformedCases {
			cases <- m.next()
		}
	}()
	seen := &tally{counts: map[string]int{}}
	var lines sync.WaitGroup
	for range malformedLines {
		lines.Go(func() {
			for c := range cases {
				seen.add(c.class, n.checked(c))
			}
		})
	}
	lines.Wait()
	t.Log(seen)

	require.Equal(t, http.StatusOK, n.get("", "/readyz").status)
	last := n.place(user)
	n.types(admin, "key="+last, 1)
	require.Eventually(t, func() bool { return n.gauge("go_goroutines") <= goroutines+malformedLines }, waitFor, tick,
		"%.0f goroutines before", goroutines)
	const mayGrow = 32 << 20
	require.Eventually(t, func() bool { return n.liveHeap() < heap+mayGrow }, waitFor, tick,
		"%.0f bytes before, %.0f after", heap, n.liveHeap())
	log := n.errs.String()
	for _, bad := range []string{"panic", "level=ERROR", secretMark, user, admin, "ada@example.org"} {
		require.Zero(t, strings.Count(log, bad), "%q in the log", bad)
	}
	metrics := n.get("", "/metrics").body
	require.NotContains(t, metrics, mark)
	require.Less(t, len(metrics), 1<<20, "strangers make no series of their own")
}

// bodiesOf gives a body for each route that takes one, as the document names it.
func bodiesOf(table []right) map[string][]string {
	fill := strings.NewReplacer("{email}", "x", "{refresh}", "x", "{user}", "018f3b1c-9c3a-7c1e-8b56-0a4c5d9e2f10", adminPassword, "short")
	bodies := map[string][]string{}
	for _, r := range table {
		if r.body != "" {
			route := r.route
			for _, name := range []string{"{user}", "{order}", "{event}", "{poison}", "{session}"} {
				route = strings.ReplaceAll(route, name, "{id}")
			}
			bodies[route] = append(bodies[route], fill.Replace(r.body))
		}
	}
	return bodies
}

// gauge reads a metric without labels.
func (n *node) gauge(name string) float64 {
	n.t.Helper()
	_, rest, found := strings.Cut(n.get("", "/metrics").body, "\n"+name+" ")
	require.True(n.t, found, "no metric %s", name)
	text, _, _ := strings.Cut(rest, "\n")
	value, err := strconv.ParseFloat(text, 64)
	require.NoError(n.t, err)
	return value
}

// liveHeap returns the bytes that the last collection found alive, times what the heap may grow by until the next: both ends of a
// comparison have the same factor.
func (n *node) liveHeap() float64 { return n.gauge("go_memstats_next_gc_bytes") }

// checked sends c and gives the status, after it has asked of the answer what all answers must be.
func (n *node) checked(c malformed) int {
	status, header, body, err := n.exchange(c)
	if err != nil {
		if (!c.cut && !c.wire) || os.IsTimeout(err) {
			n.t.Errorf("%s: %v:\n%.400q", c.class, err, c.request)
		}
		return 0
	}
	wrong := func(what string) {
		n.t.Errorf("%s: %s: %d %v %.300q to\n%.600q", c.class, what, status, header, body, c.request)
	}
	kind := header.Get("Content-Type")
	ours := header.Get("X-Correlation-Id") != ""
	switch {
	case !ours && !c.wire:
		wrong("not answered by us")
	case !ours: // net/http knows these two
		if status >= http.StatusInternalServerError && status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported {
			wrong("a failure")
		}
	case status == http.StatusServiceUnavailable && strings.Contains(body, `"unready"`): // a busy machine's probes take too long; it says so
	case status >= http.StatusInternalServerError:
		wrong("a failure of ours")
	case c.refused && status < http.StatusBadRequest:
		wrong("not refused")
	case status >= http.StatusBadRequest && kind != "application/problem+json" && c.method != http.MethodHead:
		wrong("no problem")
	case status >= http.StatusBadRequest && (strings.Contains(body, mark) || strings.Contains(body, secretMark)):
		wrong("repeats what was sent")
	case strings.Contains(fmt.Sprint(header), mark) || strings.Contains(fmt.Sprint(header), secretMark) || header.Get("Set-Cookie") != "":
		wrong("repeats what was sent in a header")
	}
	return status
}

// exchange sends c over a connection of its own and reads the answer to its end.
func (n *node) exchange(c malformed) (status int, header http.Header, body string, err error) {
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", strings.TrimPrefix(n.url, "http://"))
	if err != nil {
		return 0, nil, "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(malformedPatient)); err != nil {
		return 0, nil, "", err
	}
	go func() { // who refuses early reads no further
		_, _ = io.WriteString(conn, c.request)
		if tcp, ok := conn.(*net.TCPConn); ok && c.cut {
			_ = tcp.CloseWrite()
		}
	}()
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: c.method})
	if err != nil {
		return 0, nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	return res.StatusCode, res.Header, string(data), err
}

// tally counts the answers to each class.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (s *tally) add(class string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[fmt.Sprintf("%s: %d", class, status)]++
}

func (s *tally) String() string {
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(s.counts)) {
		fmt.Fprintf(&b, "\n%6d %s", s.counts[what], what)
	}
	return b.String()
}
