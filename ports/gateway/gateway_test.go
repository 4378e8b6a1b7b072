package gateway_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/ports/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is an upstream that answers each path with its own name and what it was sent.
func service(t *testing.T, name, path string, status int) gateway.Upstream {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"status":"`+name+`"}`)
	})
	mux.HandleFunc("/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"openapi":"3.1.0","paths":{"`+path+`":{},"/readyz":{}},"components":{"schemas":{"`+name+`":{},"Problem":{}}}}`)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen-Host", r.Host)
		w.Header().Set("X-Seen-For", r.Header.Get("X-Forwarded-For"))
		_, _ = io.WriteString(w, name+" "+r.Method+" "+r.URL.RequestURI())
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	return gateway.Upstream{Name: name, URL: u, Paths: []string{path}}
}

func start(t *testing.T, upstreams ...gateway.Upstream) *httptest.Server {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	g, err := gateway.New(gateway.Config{Upstreams: upstreams, Transport: transport})
	require.NoError(t, err)
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	return server
}

func get(t *testing.T, address string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	if len(header) == 2 {
		req.Header.Set(header[0], header[1])
	}
	req.Host = "shop.example"
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res, string(body)
}

func TestRequestsReachTheOwnerOfTheirPath(t *testing.T) {
	t.Parallel()
	g := start(t, service(t, "user", "/api/users", 200), service(t, "order", "/api/orders", 200))
	for path, want := range map[string]string{
		"/api/users":               "user GET /api/users",
		"/api/users/1?a=b%20c":     "user GET /api/users/1?a=b%20c",
		"/api/orders/x%2Fy/cancel": "order GET /api/orders/x%2Fy/cancel",
		"/docs":                    "user GET /docs",
		"/asyncapi.json":           "user GET /asyncapi.json",
	} {
		res, body := get(t, g.URL+path, "X-Forwarded-For", "192.0.2.7")
		require.Equal(t, want, body)
		require.Equal(t, "shop.example", res.Header.Get("X-Seen-Host"))
		require.Equal(t, "192.0.2.7, 127.0.0.1", res.Header.Get("X-Seen-For"))
	}
	for _, path := range []string{"/api/ordersx", "/api", "/metrics", "/nothing"} {
		res, body := get(t, g.URL+path)
		require.Equal(t, http.StatusNotFound, res.StatusCode, path)
		require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
		require.Contains(t, body, "not_found")
	}
}

func TestServiceThatIsAwayIsAnsweredAsUnavailable(t *testing.T) {
	t.Parallel()
	away := service(t, "order", "/api/orders", 200)
	away.URL = &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	g := start(t, service(t, "user", "/api/users", 200), away)
	for _, path := range []string{"/api/orders", "/openapi.json"} {
		res, body := get(t, g.URL+path)
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, path)
		require.NotEmpty(t, res.Header.Get("Retry-After"))
		require.Contains(t, body, "service_away")
		require.NotContains(t, body, "127.0.0.1", "addresses are for the log")
	}
	res, body := get(t, g.URL+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.JSONEq(t, `{"status":"unready","services":{"user":{"status":"user"},"order":{"status":"unreachable"}}}`, body)
	res, _ = get(t, g.URL+"/api/users")
	require.Equal(t, http.StatusOK, res.StatusCode, "the others go on")
}

func TestGatewayIsReadyWhereAllServicesAre(t *testing.T) {
	t.Parallel()
	g := start(t, service(t, "user", "/api/users", 200), service(t, "order", "/api/orders", 200))
	res, body := get(t, g.URL+"/readyz")
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.JSONEq(t, `{"status":"ready","services":{"user":{"status":"user"},"order":{"status":"order"}}}`, body)
	g = start(t, service(t, "user", "/api/users", 200), service(t, "order", "/api/orders", 503))
	res, _ = get(t, g.URL+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
}

func TestDocumentHasTheRoutesOfAllServices(t *testing.T) {
	t.Parallel()
	g := start(t, service(t, "user", "/api/users", 200), service(t, "order", "/api/orders", 200))
	_, body := get(t, g.URL+"/openapi.json")
	var document struct {
		OpenAPI    string                    `json:"openapi"`
		Paths      map[string]any            `json:"paths"`
		Components map[string]map[string]any `json:"components"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &document))
	require.Equal(t, "3.1.0", document.OpenAPI)
	require.Len(t, document.Paths, 3)
	require.Len(t, document.Components["schemas"], 3)
}
