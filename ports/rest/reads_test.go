package rest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/internal/timingtest"

	"github.com/millrace/millrace/app/limit"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/ports/rest"
)

// unlimited limits no write.
type unlimited struct{}

func (unlimited) Take(context.Context, string, limit.Rule, int) (time.Duration, error) { return 0, nil }

// anyUser verifies a token that is a user's number in hexadecimal digits.
type anyUser struct{}

func (anyUser) Verify(_ context.Context, token string) (principal.Principal, error) {
	p := principal.Principal{Role: principal.RoleUser}
	_, err := hex.Decode(p.UserID[:], []byte(token))
	return p, err
}

func userToken(n int) string { return fmt.Sprintf("%032x", n) }

type rawOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// pageServer is a server whose one list answers a page of that size, after work.
func pageServer(t *testing.T, size int, work func(context.Context)) (f *fixture, addr string) {
	t.Helper()
	f = setup(t, func(cfg *rest.Config) { cfg.Verifier = anyUser{} })
	api := rest.ForService(f.server.API(), rest.Service{Limits: unlimited{}})
	rest.Register(api, rest.SignedIn(huma.Operation{OperationID: "page", Method: http.MethodGet, Path: "/api/page"}),
		func(ctx context.Context, _ *struct{}) (*rawOutput, error) {
			if work != nil {
				work(ctx)
			}
			return &rawOutput{ContentType: "application/json", Body: bytes.Repeat([]byte("1"), size)}, nil
		})
	return f, serve(t, f, nil)
}

// askUnread sends a request for the page on a connection that holds little of the answer.
func askUnread(t *testing.T, addr, token string) net.Conn {
	t.Helper()
	conn := ask(t, addr, token)
	tcp, _ := conn.(*net.TCPConn)
	require.NoError(t, tcp.SetReadBuffer(4096))
	return conn
}

// ask sends a request for the page and reads nothing.
func ask(t *testing.T, addr, token string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = fmt.Fprintf(conn, "GET /api/page HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", token)
	require.NoError(t, err)
	return conn
}

func answered(t *testing.T, conn net.Conn) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		conn.Close() // first: closing the body reads what is left of it
		res.Body.Close()
	})
	return res
}

func TestUnreadPagesOfOneCallerAreBounded(t *testing.T) {
	var before, after runtime.MemStats
	const readers, size = 300, 1 << 20
	_, addr := pageServer(t, size, nil)
	runtime.GC()
	runtime.ReadMemStats(&before)
	statuses := map[int]int{}
	var conns []net.Conn
	for range readers {
		conns = append(conns, askUnread(t, addr, userToken(1)))
	}
	for _, conn := range conns {
		statuses[answered(t, conn).StatusCode]++
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) >> 20 //nolint:gosec // sizes
	require.Less(t, grown, int64(48), "MiB held for clients that read nothing: %v", statuses)
	require.NotZero(t, statuses[http.StatusTooManyRequests])
	require.Equal(t, readers, statuses[http.StatusOK]+statuses[http.StatusTooManyRequests], "%v", statuses)

	res := answered(t, ask(t, addr, userToken(2)))
	require.Equal(t, http.StatusOK, res.StatusCode, "others are served all the same")
	n, err := io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	require.EqualValues(t, size, n)
}

func TestUnreadAnswersOfAllCallersAreBounded(t *testing.T) {
	_, addr := pageServer(t, 3<<20, nil)
	statuses := map[int]int{}
	var codes []string
	for user := range 70 { // 210 MiB
		res := answered(t, askUnread(t, addr, userToken(user+1)))
		statuses[res.StatusCode]++
		if res.StatusCode == http.StatusServiceUnavailable {
			codes = append(codes, problem(t, res, http.StatusServiceUnavailable).Code)
		}
	}
	require.Equal(t, 70, statuses[http.StatusOK]+len(codes), "%v", statuses)
	require.Greater(t, statuses[http.StatusOK], 20)
	require.Greater(t, len(codes), 20, "more than 128 MiB wait for nobody")
	for _, code := range codes {
		require.Equal(t, "answers_unread", code)
	}
}

func TestBurstsOfReadsAreAnsweredInTurn(t *testing.T) {
	t.Parallel()
	_, addr := pageServer(t, 100, nil)
	var all sync.WaitGroup
	for range 64 {
		conn := ask(t, addr, userToken(1))
		all.Go(func() {
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("a burst of 64 reads is refused: %v %v", res, err)
				return
			}
			res.Body.Close()
		})
	}
	all.Wait()
}

func TestOneCallersSlowReadsLeaveOthersRoom(t *testing.T) {
	t.Parallel()
	var working atomic.Int64
	release := make(chan bool)
	_, addr := pageServer(t, 100, func(ctx context.Context) {
		if rest.Caller(ctx).UserID == [16]byte{15: 1} {
			working.Add(1)
			<-release
		}
	})
	var slow []net.Conn
	for range 16 {
		slow = append(slow, ask(t, addr, userToken(1)))
	}
	require.Eventually(t, func() bool { return working.Load() == 8 }, time.Minute, time.Millisecond, "half of the room")
	for range 3 {
		require.Equal(t, http.StatusOK, answered(t, ask(t, addr, userToken(2))).StatusCode)
	}
	close(release)
	for _, conn := range slow[:8] {
		require.Contains(t, []int{http.StatusOK, http.StatusTooManyRequests}, answered(t, conn).StatusCode)
	}
}

func TestReadsBeyondTheServicesRoomAreShed(t *testing.T) {
	t.Parallel()
	var working atomic.Int64
	release := make(chan bool)
	_, addr := pageServer(t, 100, func(context.Context) {
		working.Add(1)
		<-release
	})
	var held []net.Conn
	for n := range 16 {
		held = append(held, ask(t, addr, userToken(1+n/8)))
	}
	require.Eventually(t, func() bool { return working.Load() == 16 }, time.Minute, time.Millisecond)
	res := answered(t, ask(t, addr, userToken(3)))
	require.Equal(t, "reads_busy", problem(t, res, http.StatusServiceUnavailable).Code)
	require.NotEmpty(t, res.Header.Get("Retry-After"))
	close(release)
	for _, conn := range held {
		require.Equal(t, http.StatusOK, answered(t, conn).StatusCode)
	}
	require.Equal(t, http.StatusOK, answered(t, ask(t, addr, userToken(3))).StatusCode, "room comes back")
}

func TestPagesThatWereReadGiveRoomBack(t *testing.T) {
	t.Parallel()
	_, addr := pageServer(t, 1<<20, nil)
	for range 100 {
		res := answered(t, ask(t, addr, userToken(1)))
		require.Equal(t, http.StatusOK, res.StatusCode)
		_, err := io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
	}
}

func TestReaderThatStallsIsCutOff(t *testing.T) {
	t.Parallel()
	f, addr := pageServer(t, 3<<20, nil)
	askUnread(t, addr, userToken(1))
	require.Eventually(t, func() bool { return len(f.log.lines(t)) == 1 }, 2*time.Minute, 20*time.Millisecond)
	line := f.log.lines(t)[0]
	require.Equal(t, true, line["unread"])
	if timingtest.Measured() {
		require.Less(t, line["duration_ms"], 50_000.0, "long before the answer as a whole must have been taken")
	}
}
