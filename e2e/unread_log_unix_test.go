//go:build unix

package e2e_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/internal/timingtest"
)

// piped is a process of the binary with pipes as standard output and standard error, which nothing reads unless the test does.
type piped struct {
	*node

	stdout, log *os.File
}

// startPiped starts the binary with flags, waits until it is ready, and ends it with the test.
func startPiped(t *testing.T, flags ...string) *piped {
	t.Helper()
	addr := freeAddr(t)
	p := &piped{node: &node{t: t, url: "http://" + addr, errs: &lockedBuffer{}}}
	p.cmd = exec.Command(binary, append([]string{ //nolint:gosec // our own binary
		"--http-addr=" + addr, "--data-dir=" + t.TempDir(), "--broker-url=memory:", "--rate-limits=off",
	}, flags...)...)
	p.stdout, p.log = pipe(t, &p.cmd.Stdout), pipe(t, &p.cmd.Stderr)
	require.NoError(t, p.cmd.Start())
	require.NoError(t, p.cmd.Stdout.(*os.File).Close())
	require.NoError(t, p.cmd.Stderr.(*os.File).Close())
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	require.Eventually(t, func() bool {
		a, err := p.try("", http.MethodGet, "/readyz", "")
		return err == nil && a.status == http.StatusOK
	}, waitFor, tick)
	return p
}

// pipe makes a pipe, gives its writing end to a process and returns the other, which is closed with the test.
func pipe(t *testing.T, to *io.Writer) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	*to = w
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// refusedOften sends requests that are refused and logged, each with a long line, and checks that all are answered.
func (p *piped) refusedOften(requests int) {
	p.t.Helper()
	path := p.url + "/api/" + strings.Repeat("x", 250)
	client := &http.Client{Timeout: waitFor}
	defer client.CloseIdleConnections()
	var sending sync.WaitGroup
	const senders = 8
	failed := make(chan string, senders)
	for range senders {
		sending.Go(func() {
			for range requests / senders {
				res, err := client.Get(path)
				if err != nil {
					failed <- err.Error()
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				if _ = res.Body.Close(); res.StatusCode != http.StatusNotFound {
					failed <- res.Status
					return
				}
			}
		})
	}
	sending.Wait()
	close(failed)
	for f := range failed {
		p.t.Fatal(f)
	}
}

// dropped returns how many lines of the log the program says it dropped.
func (p *piped) dropped() (lines float64) {
	p.t.Helper()
	_, rest, found := strings.Cut(p.get("", "/metrics").body, "\nmillrace_log_lines_dropped_total ")
	require.True(p.t, found)
	text, _, _ := strings.Cut(rest, "\n")
	lines, err := strconv.ParseFloat(text, 64)
	require.NoError(p.t, err)
	return lines
}

// endsWell asks the program to end and checks that it does, in time and with success.
func (p *piped) endsWell() {
	p.t.Helper()
	began := time.Now()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	select {
	case err := <-ended:
		require.NoError(p.t, err)
		timingtest.Within(p.t, began, longestDrain+time.Second, "the drain")
	case <-time.After(waitFor):
		p.t.Fatal("does not end")
	}
}

// enough requests for more lines than the buffer and the pipe hold.
const enough = 10_000

func TestUnreadLogBlocksNeitherRequestsNorTheDrain(t *testing.T) {
	t.Parallel()
	p := startPiped(t)
	p.refusedOften(enough)
	require.Positive(t, p.dropped())
	p.endsWell()
	line, err := bufio.NewReader(p.stdout).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "is running", "what fits was written")
}

func TestClosedLogPipeDoesNotEndTheProcess(t *testing.T) {
	t.Parallel()
	p := startPiped(t)
	require.NoError(t, p.log.Close())
	require.NoError(t, p.stdout.Close())
	p.refusedOften(1000)
	require.Eventually(t, func() bool { return p.dropped() >= 1000 }, waitFor, tick)
	p.endsWell()
}

func TestDroppedLogLinesAreReportedOnceTheLogIsRead(t *testing.T) {
	t.Parallel()
	p := startPiped(t)
	p.refusedOften(enough)
	read := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(p.log)
		read <- string(all)
	}()
	p.endsWell()
	log := <-read
	require.Contains(t, log, `"msg":"log lines were dropped because nobody read them","lines":`)
	lines := strings.Split(strings.TrimSuffix(log, "\n"), "\n")
	require.Contains(t, lines[len(lines)-1], `"msg":"stopped"`)
	for _, l := range lines {
		require.True(t, strings.HasPrefix(l, `{"time":`) && strings.HasSuffix(l, "}"), "a line is whole or is not there: %s", l)
	}
}
