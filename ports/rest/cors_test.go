package rest_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/ports/rest"
)

const shop = "https://shop.example"

func forPages(t *testing.T) *fixture {
	t.Helper()
	return setup(t, func(cfg *rest.Config) { cfg.CORSOrigins = []string{"https://other.example", shop} })
}

func from(origin, method, path string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(""))
	r.Header.Set("Origin", origin)
	return r
}

func TestPreflightNamesWhatTheAddressTakes(t *testing.T) {
	t.Parallel()
	f := forPages(t)
	for path, methods := range map[string]string{
		"/api/things": "GET, HEAD, POST", "/api/own": "PUT", "/api/things/1": "GET, HEAD", "/openapi.json": "GET, HEAD", "/healthz": "GET, HEAD",
	} {
		r := from(shop, http.MethodOptions, path)
		r.Header.Set("Access-Control-Request-Method", "DELETE")
		r.Header.Set("Access-Control-Request-Headers", "authorization,x-secret")
		res := f.do(t, r)
		require.Equal(t, http.StatusNoContent, res.StatusCode, path)
		require.Equal(t, shop, res.Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, methods, res.Header.Get("Access-Control-Allow-Methods"))
		require.Equal(t, "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Correlation-ID, Last-Event-ID",
			res.Header.Get("Access-Control-Allow-Headers"), "what is asked for is not repeated")
		require.Equal(t, "600", res.Header.Get("Access-Control-Max-Age"))
		require.Empty(t, res.Header.Get("Access-Control-Allow-Credentials"))
		require.Equal(t, []string{"Origin", "Access-Control-Request-Method, Access-Control-Request-Headers"}, res.Header["Vary"])
		require.Empty(t, text(t, res))
	}
	r := from(shop, http.MethodOptions, "/nowhere")
	r.Header.Set("Access-Control-Request-Method", "GET")
	res := f.do(t, r)
	require.Equal(t, shop, res.Header.Get("Access-Control-Allow-Origin"))
	problem(t, res, 404)
}

func TestPagesReadEveryAnswer(t *testing.T) {
	t.Parallel()
	f := forPages(t)
	f.fail = errors.New("a failure")
	for path, status := range map[string]int{
		"/api/things": 200, "/api/things?nothing=1": 422, "/api/admin": 401, "/api/fail": 500, "/api/panic": 500, "/nowhere": 404,
		"/api/own": 405,
	} {
		res := f.do(t, from(shop, http.MethodGet, path))
		require.Equal(t, status, res.StatusCode)
		require.Equal(t, []string{shop}, res.Header["Access-Control-Allow-Origin"], path)
		require.Equal(t, "ETag, Location, Retry-After, X-Correlation-ID, Idempotency-Replayed, WWW-Authenticate",
			res.Header.Get("Access-Control-Expose-Headers"))
		require.Contains(t, res.Header["Vary"], "Origin")
	}
}

func TestOtherOriginsReadNothing(t *testing.T) {
	t.Parallel()
	for name, origin := range map[string]string{
		"another": "https://evil.example", "another scheme": "http://shop.example", "a port": shop + ":8443",
		"a longer name": shop + ".evil.example",
		"null":          "null", "in capitals": "https://SHOP.example", "none": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := forPages(t)
			for _, method := range []string{http.MethodGet, http.MethodOptions} {
				r := from(origin, method, "/api/things")
				r.Header.Set("Access-Control-Request-Method", "POST")
				res := f.do(t, r)
				requireNoCORS(t, res)
				require.Contains(t, res.Header["Vary"], "Origin", "a cache must tell the origins apart")
			}
		})
	}
}

func TestWithoutConfigurationThereIsNoCORS(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, method := range []string{http.MethodGet, http.MethodOptions} {
		r := from(shop, method, "/api/things")
		r.Header.Set("Access-Control-Request-Method", "POST")
		res := f.do(t, r)
		requireNoCORS(t, res)
		require.Empty(t, res.Header["Vary"])
	}
}

func requireNoCORS(t *testing.T, res *http.Response) {
	t.Helper()
	for name := range res.Header {
		require.False(t, strings.HasPrefix(name, "Access-Control-"), name)
	}
}
