package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
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

// How many hostile bodies are sent at once, and by how many MB the process may grow meanwhile.
const (
	hostileAtOnce  = 200
	hostileMayGrow = 100
)

// hostileBodies break a rule in each of many places.
func hostileBodies() map[string]string {
	var members strings.Builder
	for i := range 80_000 {
		fmt.Fprintf(&members, `,"m%d":1`, i)
	}
	return map[string]string{
		"unknown members": `{"a":1` + members.String() + `}`,
		"elements":        `{"items":[` + strings.Repeat("{},", 300_000) + `{}]}`,
		"long text":       `{"email":"` + strings.Repeat("x", 900_000) + `"}`,
	}
}

// Whoever sends bodies that break rules in very many places gets few answers of few bytes, and takes no memory with them: on every route
// that takes a body, whether or not the answers are read. It does not run beside other tests, because it takes all processors.
func TestHostileBodiesTakeLittleMemory(t *testing.T) { //nolint:paralleltest // see above
	if len(buildFlags) > 0 {
		t.Skip("the race detector multiplies memory")
	}
	n := start(t, "--data-dir="+t.TempDir(), "--broker-url=memory:", "--rate-limits=off").ready()
	_, user := n.register("ada@example.org")
	order := n.place(user)
	routes := withBodies(t, n)
	require.Contains(t, routes, "POST /api/auth/login")
	require.Contains(t, routes, "POST /api/orders")
	before := n.memory("VmRSS")
	for _, route := range routes {
		method, path, _ := strings.Cut(strings.ReplaceAll(route, "{id}", order), " ")
		for name, body := range hostileBodies() {
			head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n"+
				"Content-Length: %d\r\n\r\n", method, path, user, len(body))
			n.attack(head+body, before, route+" with "+name)
		}
	}
}

// withBodies gives the documented routes that take a body.
func withBodies(t *testing.T, n *node) (routes []string) {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			RequestBody *struct{} `json:"requestBody"`
		} `json:"paths"`
	}
	n.get("", "/openapi.json").into(t, &document)
	for path, operations := range document.Paths {
		for method, op := range operations {
			if op.RequestBody != nil {
				routes = append(routes, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(routes)
	return routes
}

// attack sends one request many times at once, looks at the memory while no answer is read, and then at the answers.
func (n *node) attack(request string, before int, what string) {
	n.t.Helper()
	answered := strings.Count(n.errs.String(), "msg=request")
	var sending, reading sync.WaitGroup
	read := make(chan struct{})
	answers := make([][]byte, hostileAtOnce)
	for i := range answers {
		sending.Add(1)
		reading.Go(func() {
			answers[i] = n.unread(request, read, sending.Done)
		})
	}
	sending.Wait()
	waited := time.Now()
	for strings.Count(n.errs.String(), "msg=request") < answered+hostileAtOnce && time.Since(waited) < waitFor {
		n.get("", "/healthz")
	}
	grown := n.memory("VmHWM") - before
	close(read)
	reading.Wait()
	require.Less(n.t, grown, hostileMayGrow, "%s: from %d MB, by so many", what, before)
	for _, a := range answers {
		checkHostileAnswer(n.t, a, what)
	}
	n.t.Logf("%s: %d bytes of answer, %d MB more", what, len(answers[0]), grown)
}

// unread sends a request, and reads the answer once read is closed.
func (n *node) unread(request string, read chan struct{}, sent func()) []byte {
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
	if err != nil {
		sent()
		return nil
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, request)
	sent()
	<-read
	_ = conn.SetReadDeadline(time.Now().Add(waitFor))
	data, _ := io.ReadAll(conn)
	return data
}

func checkHostileAnswer(t *testing.T, raw []byte, what string) {
	t.Helper()
	require.Less(t, len(raw), 40_000, what)
	res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(raw))), nil)
	require.NoError(t, err, what)
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden {
		return // the body was not looked at
	}
	require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode, what)
	var problem struct {
		Errors []json.RawMessage `json:"errors"`
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&problem), what)
	require.NotEmpty(t, problem.Errors, what)
	require.LessOrEqual(t, len(problem.Errors), 100, what)
}

// memory reads one of the process's figures in MB: VmRSS, what it has now, or VmHWM, the most that it had.
func (n *node) memory(figure string) int {
	n.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
	require.NoError(n.t, err)
	_, rest, _ := strings.Cut(string(status), figure+":")
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(n.t, err)
	return kilobytes / 1024
}
