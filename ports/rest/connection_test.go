package rest_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/ports/rest"
)

// serve runs f on a real port, with the limits for slow clients changed by change.
func serve(t *testing.T, f *fixture, change func(*http.Server)) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := f.server.HTTPServer(f.server.Handler())
	if change != nil {
		change(srv)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, srv.Close())
		require.ErrorIs(t, <-done, http.ErrServerClosed)
	})
	return listener.Addr().String()
}

// raw sends bytes that no HTTP client would and reads the answer.
func raw(t *testing.T, addr, request string, closeWrite bool) *http.Response {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Write([]byte(request))
	require.NoError(t, err)
	if tcp, ok := conn.(*net.TCPConn); ok && closeWrite {
		require.NoError(t, tcp.CloseWrite())
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	return res
}

func TestBrokenBodies(t *testing.T) {
	t.Parallel()
	head := "POST /api/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"shorter than announced": {head + "Content-Length: 100\r\n\r\n{\"name\":\"a\"}", 400},
		"bad chunk size":         {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400},
		"chunks without an end":  {head + "Transfer-Encoding: chunked\r\n\r\nc\r\n{\"name\":\"a\"}\r\n", 400},
		"good chunks":            {head + "Transfer-Encoding: chunked\r\n\r\nc\r\n{\"name\":\"a\"}\r\n0\r\n\r\n", 201},
		"announced too large":    {head + "Content-Length: 1048577\r\n\r\n", 413},
		"chunks too large":       {head + "Transfer-Encoding: chunked\r\n\r\n100001\r\n" + strings.Repeat("a", 1<<20+1) + "\r\n0\r\n\r\n", 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			res := raw(t, serve(t, f, nil), c.request, true)
			defer res.Body.Close()
			if c.status == 201 {
				require.Equal(t, 201, res.StatusCode)
				return
			}
			problem(t, res, c.status)
		})
	}
}

func TestSlowBodyIsGivenUp(t *testing.T) {
	t.Parallel()
	f := setup(t)
	addr := serve(t, f, func(srv *http.Server) { srv.ReadTimeout = 100 * time.Millisecond })
	res := raw(t, addr, "POST /api/things HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", false)
	defer res.Body.Close()
	require.Equal(t, "request_timeout", problem(t, res, 408).Code)
}

func TestSlowHeaderIsCutOff(t *testing.T) {
	t.Parallel()
	addr := serve(t, setup(t), func(srv *http.Server) { srv.ReadHeaderTimeout = 100 * time.Millisecond })
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n"))
	require.NoError(t, err)
	_, err = io.ReadAll(conn)
	require.NoError(t, err, "the server closes the connection before the deadline")
}

func TestIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	addr := serve(t, setup(t), func(srv *http.Server) { srv.IdleTimeout = 100 * time.Millisecond })
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
	require.NoError(t, err)
	_, err = io.ReadAll(conn)
	require.NoError(t, err)
}

func TestReaderThatDoesNotReadIsCutOff(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ended := make(chan error, 1)
	rest.Register(f.server.API(), huma.Operation{OperationID: "endless", Method: http.MethodGet, Path: "/api/endless"},
		func(context.Context, *struct{}) (*huma.StreamResponse, error) {
			return &huma.StreamResponse{Body: func(ctx huma.Context) {
				var err error
				for err == nil {
					_, err = ctx.BodyWriter().Write(make([]byte, 64<<10))
				}
				ended <- err
			}}, nil
		})
	addr := serve(t, f, func(srv *http.Server) { srv.WriteTimeout = 200 * time.Millisecond })
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("GET /api/endless HTTP/1.1\r\nHost: x\r\n\r\n"))
	require.NoError(t, err)
	select {
	case err := <-ended:
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())
	case <-time.After(time.Minute):
		t.Fatal("a client that reads nothing keeps its connection")
	}
}

func TestLimitsForSlowClientsAreSet(t *testing.T) {
	t.Parallel()
	srv := setup(t).server.HTTPServer(http.NotFoundHandler())
	for name, limit := range map[string]time.Duration{
		"header": srv.ReadHeaderTimeout, "body": srv.ReadTimeout, "answer": srv.WriteTimeout, "idle": srv.IdleTimeout,
	} {
		require.Positive(t, limit, name)
		require.LessOrEqual(t, limit, 2*time.Minute, name)
	}
	require.LessOrEqual(t, srv.MaxHeaderBytes, 32<<10)
}

func TestOptionsOfTheWholeServerIsARequestLikeAnyOther(t *testing.T) {
	t.Parallel()
	res := raw(t, serve(t, setup(t), nil), "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", false)
	defer res.Body.Close()
	problem(t, res, 404)
}

func TestOverlongHeadersAreRefused(t *testing.T) {
	t.Parallel()
	res := raw(t, serve(t, setup(t), nil),
		"GET / HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("a", 64<<10)+"\r\n\r\n", false)
	defer res.Body.Close()
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, res.StatusCode)
}

func TestExpectedBodyIsNotSentByAStranger(t *testing.T) {
	t.Parallel()
	f := setup(t)
	res := raw(t, serve(t, f, nil),
		"PUT /api/own HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n", false)
	defer res.Body.Close()
	problem(t, res, 401)
}

func TestPanicInTheMiddleOfAnAnswerBreaksTheConnection(t *testing.T) {
	t.Parallel()
	f := setup(t)
	rest.Register(f.server.API(), huma.Operation{OperationID: "half", Method: http.MethodGet, Path: "/api/half"},
		func(context.Context, *struct{}) (*huma.StreamResponse, error) {
			return &huma.StreamResponse{Body: func(ctx huma.Context) {
				w, _ := ctx.BodyWriter().(http.ResponseWriter)
				_, _ = w.Write(make([]byte, 10_000))
				_ = http.NewResponseController(w).Flush()
				panic("in the middle")
			}}, nil
		})
	srv := httptest.NewServer(f.server.Handler())
	defer srv.Close()
	res, err := srv.Client().Get(srv.URL + "/api/half")
	require.NoError(t, err)
	defer res.Body.Close()
	_, err = io.ReadAll(res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "nobody takes half an answer for a whole one")
	lines := f.log.lines(t)
	require.Len(t, lines, 1)
	require.Contains(t, lines[0]["error"], "in the middle")
}
