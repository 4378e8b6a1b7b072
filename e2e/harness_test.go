package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// binary is the program under test, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "millrace-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "millrace"+exeSuffix())
	build := exec.Command("go", append(append([]string{"build"}, buildFlags...), "-o", binary, "..")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: build the binary: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func exeSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// How long a condition is waited for, and how often it is looked at.
const (
	waitFor = time.Minute // no machine is so slow
	tick    = 20 * time.Millisecond
)

// longestDrain is how long a drain may take.
const longestDrain = 8 * time.Second

const (
	adminPassword = "correct horse battery"
	natsPassword  = "eel-trap-under-the-weir"
)

// node is a running process of the binary.
type node struct {
	t      *testing.T
	url    string
	cmd    *exec.Cmd
	exited chan int // receives the exit code, once; shut puts it back
	out    *lockedBuffer
	errs   *lockedBuffer
	asked  sync.Once // to drain: a second signal ends the process at once
}

// lockedBuffer collects what the process prints.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// listening is the line that the program prints once its API listens.
var listening = regexp.MustCompile(`API +(http://[0-9.:]+)`)

// usualFlags are those of every start.
var usualFlags = []string{"--http-addr=127.0.0.1:0", "--admin-password=" + adminPassword, "--log-format=text"}

// start runs the binary with flags until the test ends, and waits until it listens.
func start(t *testing.T, flags ...string) *node {
	t.Helper()
	return launch(t, append(slices.Clone(usualFlags), flags...)...).listens()
}

// listens waits until the program has said where it listens.
func (n *node) listens() *node {
	n.t.Helper()
	t := n.t
	require.Eventually(t, func() bool {
		if found := listening.FindStringSubmatch(n.out.String()); found != nil {
			n.url = found[1]
			return true
		}
		return n.hasExited()
	}, waitFor, tick, "does not listen: %s", n.errs)
	require.NotEmpty(t, n.url, "exited while it started: %s", n.errs)
	return n
}

// launch starts the binary, without this process's MILLRACE_ settings. The test's end stops it, and fails the test where the race
// detector reported something.
func launch(t *testing.T, args ...string) *node {
	t.Helper()
	return launchAs(t, exec.Command(binary, args...)) //nolint:gosec // our own binary
}

// launchAs starts the binary by a command of the caller's.
func launchAs(t *testing.T, cmd *exec.Cmd) *node {
	t.Helper()
	n := &node{t: t, cmd: cmd, exited: make(chan int, 1), out: &lockedBuffer{}, errs: &lockedBuffer{}}
	n.cmd.Stdout, n.cmd.Stderr = n.out, n.errs
	n.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "MILLRACE_") })
	require.NoError(t, n.cmd.Start())
	go func() {
		_ = n.cmd.Wait() // the exit code says it
		n.exited <- n.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		n.shut()
		require.NotContains(t, n.errs.String(), "DATA RACE")
	})
	return n
}

// runToEnd runs the binary to its end and returns its exit code and what it printed.
func runToEnd(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	n := launch(t, args...)
	select {
	case code = <-n.exited:
		n.exited <- code
	case <-time.After(waitFor):
		t.Fatalf("does not end by itself: %s", n.errs)
	}
	return code, n.out.String(), n.errs.String()
}

func (n *node) hasExited() bool {
	select {
	case code := <-n.exited:
		n.exited <- code
		return true
	default:
		return false
	}
}

// stop asks the process to drain.
func (n *node) stop() { n.asked.Do(func() { _ = n.cmd.Process.Signal(syscall.SIGTERM) }) }

// shut drains the process and returns its exit code.
func (n *node) shut() int {
	n.stop()
	select {
	case code := <-n.exited:
		n.exited <- code
		return code
	case <-time.After(waitFor):
		n.t.Errorf("does not stop within %s: %s", waitFor, n.errs)
		_ = n.cmd.Process.Kill()
		return -1
	}
}

func (n *node) ready() *node {
	n.t.Helper()
	require.Eventually(n.t, func() bool { return n.get("", "/readyz").status == http.StatusOK }, waitFor, tick, "%s", n.errs)
	return n
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
}

// into reads the body as JSON.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), v), a.body)
}

func (n *node) get(token, path string) answer { return n.send(token, http.MethodGet, path, "") }

func (n *node) send(token, method, path, body string, headers ...string) answer {
	n.t.Helper()
	a, err := n.try(token, method, path, body, headers...)
	require.NoError(n.t, err)
	return a
}

func (n *node) try(token, method, path, body string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, n.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: waitFor}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(data)}, err
}

// signIn gives an access token.
func (n *node) signIn(email, password string) string {
	n.t.Helper()
	a := n.send("", http.MethodPost, "/api/auth/login", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password))
	require.Equal(n.t, http.StatusOK, a.status, a.body)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	a.into(n.t, &token)
	return token.AccessToken
}

func (n *node) admin() string { return n.signIn("admin@localhost", adminPassword) }

// register makes a user and signs in.
func (n *node) register(email string) (id, token string) {
	n.t.Helper()
	a := n.send("", http.MethodPost, "/api/users", fmt.Sprintf(`{"email":%q,"name":"Somebody","password":%q}`, email, adminPassword))
	require.Equal(n.t, http.StatusCreated, a.status, a.body)
	return idOf(n.t, a), n.signIn(email, adminPassword)
}

func idOf(t *testing.T, a answer) string {
	t.Helper()
	var v struct {
		ID string `json:"id"`
	}
	a.into(t, &v)
	require.NotEmpty(t, v.ID, a.body)
	return v.ID
}

const oneOrder = `{"items":[{"sku":"tea","quantity":2,"unit_price":450}],"currency":"EUR"}`

func (n *node) place(token string, headers ...string) (id string) {
	n.t.Helper()
	a := n.send(token, http.MethodPost, "/api/orders", oneOrder, headers...)
	require.Equal(n.t, http.StatusCreated, a.status, a.body)
	return idOf(n.t, a)
}

// recorded is an event in the history.
type recorded struct {
	ID            string `json:"id"`
	Position      int64  `json:"position"`
	Type          string `json:"type"`
	Source        string `json:"source"`
	Key           string `json:"key"`
	Sequence      int64  `json:"sequence"`
	CorrelationID string `json:"correlation_id"`
	CausationID   string `json:"causation_id"`
}

func (n *node) history(admin, query string) []recorded {
	n.t.Helper()
	a := n.get(admin, "/api/events?order=asc&limit=200&"+query)
	require.Equal(n.t, http.StatusOK, a.status, a.body)
	var page struct {
		Items []recorded `json:"items"`
	}
	a.into(n.t, &page)
	return page.Items
}

// types waits until the history of a query has as many events, and gives their types in order.
func (n *node) types(admin, query string, count int) (types []string) {
	n.t.Helper()
	require.Eventually(n.t, func() bool { return len(n.history(admin, query)) >= count }, waitFor, tick, "%s", n.errs)
	for _, e := range n.history(admin, query) {
		types = append(types, e.Type)
	}
	return types
}

// freeAddr returns a loopback address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().String()
}
