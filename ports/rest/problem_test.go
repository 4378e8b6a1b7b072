package rest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/ports/rest"
)

func TestEachFaultKindHasItsStatus(t *testing.T) {
	t.Parallel()
	cause := errors.New("secret cause")
	for kind, status := range map[fault.Kind]int{
		fault.Malformed: 400, fault.Invalid: 422, fault.Unauthenticated: 401, fault.Forbidden: 403, fault.NotFound: 404,
		fault.Conflict: 409, fault.Precondition: 412, fault.TooLarge: 413, fault.Exhausted: 429, fault.Unavailable: 503,
		fault.Unknown: 503, fault.Internal: 500, fault.Early: 500, fault.TooSlow: 503,
	} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.fail = fmt.Errorf("doing something: %w", fault.New(kind, "some_code", "Some words.").Because(cause))
			res := f.get(t, "/api/fail")
			p := problem(t, res, status)
			require.NotContains(t, p.Detail, "secret")
			switch kind {
			case fault.Internal, fault.Early:
				require.Equal(t, "internal", p.Code)
				require.NotContains(t, p.Detail, "Some words")
			case fault.Unknown:
				require.Contains(t, p.Detail, "not known whether the change was stored")
			default:
				require.Equal(t, "some_code", p.Code)
				require.Equal(t, "Some words.", p.Detail)
			}
			require.Equal(t, status == 503 || status == 429, res.Header.Get("Retry-After") != "")
			require.Equal(t, status == 401, res.Header.Get("WWW-Authenticate") != "")
			logged := f.log.lines(t)
			require.Len(t, logged, 1, "one line for each request")
			if status >= 500 {
				require.Contains(t, logged[0]["error"], "secret cause")
			} else {
				require.NotContains(t, logged[0], "error")
			}
		})
	}
}

func TestFieldsOfAFaultAreShown(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fail = fault.NewInvalid(fault.Field{Location: "body.total", Message: "is too large"})
	require.Equal(t, []rest.Violation{{Location: "body.total", Message: "is too large"}}, problem(t, f.get(t, "/api/fail"), 422).Errors)
}

func TestUnclassifiedErrorIsNotShown(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fail = errors.New("secret")
	p := problem(t, f.get(t, "/api/fail"), 500)
	require.NotContains(t, p.Detail, "secret")
	require.Equal(t, "ERROR", f.log.lines(t)[0]["level"])
}

func TestPanicIsAnswered(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p := problem(t, f.get(t, "/api/panic"), 500)
	require.NotContains(t, p.Detail, "secret")
	line := f.log.lines(t)
	require.Len(t, line, 1)
	require.Contains(t, line[0]["error"], "secret of a panic")
	require.Contains(t, line[0]["stack"], "rest_test.go")
}

func TestCallerWhoLeftIsNoFailure(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"plain":       context.Canceled,
		"unavailable": fault.New(fault.Unavailable, "database_unavailable", "…").Because(context.Canceled),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.fail = err
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			f.do(t, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/fail", nil))
			line := f.log.lines(t)[0]
			require.Equal(t, "INFO", line["level"])
			require.InDelta(t, 499, line["status"], 0)
		})
	}
}

func TestUnknownAddressesAndMethods(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodGet, "/nothing", 404, ""},
		{http.MethodPost, "/", 405, "GET, HEAD"},
		{http.MethodPost, "/api", 404, ""},
		{http.MethodGet, "/api/things/", 404, ""},
		{http.MethodDelete, "/api/things", 405, "GET, HEAD, POST"},
		{http.MethodOptions, "/api/things", 405, "GET, HEAD, POST"},
		{http.MethodPost, "/api/things/1", 405, "GET, HEAD"},
		{http.MethodHead, "/api/own", 405, "PUT"},
		{"BREW", "/api/things", 405, "GET, HEAD, POST"},
		{http.MethodPost, "/healthz", 405, "GET, HEAD"},
	} {
		t.Run(c.method+c.path, func(t *testing.T) {
			t.Parallel()
			res := setup(t).do(t, httptest.NewRequest(c.method, c.path, nil))
			problem(t, res, c.status)
			require.Equal(t, c.allow, res.Header.Get("Allow"))
		})
	}
}

func TestHeadIsAnsweredWhereGetIs(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(setup(t).server.Handler())
	defer srv.Close()
	for _, path := range []string{"/api/things", "/healthz", "/openapi.json", "/docs"} {
		res, err := srv.Client().Head(srv.URL + path)
		require.NoError(t, err)
		require.Equal(t, 200, res.StatusCode, path)
		require.Empty(t, text(t, res))
		res.Body.Close()
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, path := range []string{"/api/things", "/nothing", "/api/admin", "/api/panic", "/healthz", "/docs"} {
		res := f.get(t, path)
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"), path)
		require.Equal(t, "DENY", res.Header.Get("X-Frame-Options"), path)
		require.NotEmpty(t, res.Header.Get("Content-Security-Policy"), path)
		require.NotEmpty(t, res.Header.Get("Referrer-Policy"), path)
		require.NotEmpty(t, res.Header.Get("Cache-Control"), path)
	}
	require.Equal(t, "private, no-cache", f.get(t, "/api/admin").Header.Get("Cache-Control"))
	require.Equal(t, "no-store", f.get(t, "/api/things").Header.Get("Cache-Control"))
}

func TestCorrelationIDs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		given string
		taken bool
	}{
		"fit":        {"order-17:ab/c+d=e@f.g_h", true},
		"none":       {"", false},
		"with space": {"a b", false},
		"too long":   {string(make([]byte, 129)), false},
		"no ASCII":   {"ä", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			r := httptest.NewRequest(http.MethodGet, "/api/things", nil)
			r.Header.Set(rest.HeaderCorrelation, c.given)
			got := f.do(t, r).Header.Get(rest.HeaderCorrelation)
			if c.taken {
				require.Equal(t, c.given, got)
			} else {
				id, err := uuid.Parse(got)
				require.NoError(t, err)
				require.Equal(t, uuid.Version(7), id.Version())
			}
			require.Equal(t, got, f.log.lines(t)[0]["correlation_id"])
		})
	}
}

func TestRetryAfterIsWholeSecondsRoundedUp(t *testing.T) {
	t.Parallel()
	exhausted := fault.New(fault.Exhausted, "rate_limited", "Too many.")
	away := fault.New(fault.Unavailable, "away", "Away.")
	for _, c := range []struct {
		fail *fault.Error
		says string
	}{
		{exhausted, "1"},
		{exhausted.After(time.Millisecond), "1"},
		{exhausted.After(time.Second), "1"},
		{exhausted.After(90*time.Second + 1), "91"},
		{away, "2"},
		{away.After(10 * time.Second), "10"},
	} {
		f := setup(t)
		f.fail = c.fail
		require.Equal(t, c.says, f.get(t, "/api/fail").Header.Get("Retry-After"))
	}
}
