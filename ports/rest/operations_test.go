package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/ports/rest"
)

func probe(err error) func(context.Context) error { return func(context.Context) error { return err } }

func TestReadiness(t *testing.T) {
	t.Parallel()
	away := errors.New("dial tcp 10.0.0.1:3306: secret host is away")
	for name, c := range map[string]struct {
		database, broker error
		drain            bool
		code             int
		want             string
	}{
		"all well": {nil, nil, false, 200, `{"status":"ready","checks":{
			"database":{"status":"ok","required":true},"broker":{"status":"ok","required":false}}}`},
		"broker away": {nil, away, false, 200, `{"status":"degraded","checks":{
			"database":{"status":"ok","required":true},"broker":{"status":"failed","required":false}}}`},
		"database away": {away, nil, false, 503, `{"status":"unready","checks":{
			"database":{"status":"failed","required":true},"broker":{"status":"ok","required":false}}}`},
		"both away": {away, away, false, 503, `{"status":"unready","checks":{
			"database":{"status":"failed","required":true},"broker":{"status":"failed","required":false}}}`},
		"draining": {nil, nil, true, 503, `{"status":"draining","checks":{
			"database":{"status":"ok","required":true},"broker":{"status":"ok","required":false}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var database, broker error
			f := setup(t, func(cfg *rest.Config) {
				cfg.Checks = []rest.Check{
					{Name: "database", Need: rest.Required, Probe: func(context.Context) error { return database }},
					{Name: "broker", Need: rest.Degrades, Probe: func(context.Context) error { return broker }},
				}
			})
			require.Equal(t, 200, f.get(t, "/readyz").StatusCode)
			database, broker = c.database, c.broker
			if c.drain {
				f.server.Drain()
			}
			res := f.get(t, "/readyz")
			require.Equal(t, c.code, res.StatusCode)
			require.JSONEq(t, c.want, text(t, res))
			require.Equal(t, 200, f.get(t, "/healthz").StatusCode, "alive whatever is away")
		})
	}
}

func TestReplicaIsStartingUntilWhatIsRequiredWasThereOnce(t *testing.T) {
	t.Parallel()
	database := error(fault.New(fault.Unavailable, "starting", "The schema is brought up to date."))
	f := setup(t, func(cfg *rest.Config) {
		cfg.Checks = []rest.Check{
			{Name: "database", Need: rest.Required, Probe: func(context.Context) error { return database }},
			{Name: "broker", Need: rest.Degrades, Probe: probe(errors.New("away"))},
		}
	})
	res := f.get(t, "/readyz")
	require.Equal(t, 503, res.StatusCode)
	require.JSONEq(t, `{"status":"starting","checks":{
		"database":{"status":"failed","required":true,"detail":"The schema is brought up to date."},
		"broker":{"status":"failed","required":false}}}`,
		text(t, res), "and says what it waits for")
	database = nil
	require.Contains(t, text(t, f.get(t, "/readyz")), `"degraded"`)
	database = errors.New("away")
	require.Contains(t, text(t, f.get(t, "/readyz")), `"unready"`, "it starts once")
}

// A connection that is closed while it is idle may lose a request that is on its way. One that ends with an answer does not.
func TestDrainingServerStillAnswersAndEachAnswerEndsItsConnection(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.Empty(t, f.get(t, "/api/things/0192f3a0-0000-7000-8000-000000000000").Header.Get("Connection"))
	f.server.Drain()
	for path, status := range map[string]int{
		"/api/things/0192f3a0-0000-7000-8000-000000000000": 200, "/nothing": 404, "/api/panic": 500, "/readyz": 503, "/healthz": 200,
		"/metrics": 200, "/openapi.json": 200,
	} {
		res := f.get(t, path)
		require.Equal(t, status, res.StatusCode, path)
		require.Equal(t, "close", res.Header.Get("Connection"), path)
	}
}

func TestFailureWithWordsForEverybodyIsTold(t *testing.T) {
	t.Parallel()
	f := setup(t, func(cfg *rest.Config) {
		away := fault.New(fault.Unavailable, "keys_away", "The keys cannot be had.").Because(errors.New("secret host"))
		cfg.Checks = []rest.Check{{Name: "keys", Probe: probe(away)}}
	})
	require.JSONEq(t, `{"status":"starting","checks":{"keys":{"status":"failed","required":true,"detail":"The keys cannot be had."}}}`,
		text(t, f.get(t, "/readyz")))
}

func TestCallerWhoLeavesSaysNothingOfTheDatabase(t *testing.T) {
	t.Parallel()
	f := setup(t, func(cfg *rest.Config) {
		cfg.Checks = []rest.Check{{Name: "database", Probe: func(ctx context.Context) error { return ctx.Err() }}}
	})
	gone, leave := context.WithCancel(t.Context())
	leave()
	require.Equal(t, 200, f.do(t, httptest.NewRequestWithContext(gone, http.MethodGet, "/readyz", nil)).StatusCode)
	require.Empty(t, f.log.lines(t), "no check has failed")
}

func TestFailedCheckIsLoggedOnce(t *testing.T) {
	t.Parallel()
	f := setup(t, func(cfg *rest.Config) {
		cfg.Checks = []rest.Check{{Name: "database", Probe: probe(errors.New("away"))}}
	})
	for range 3 {
		f.get(t, "/readyz")
	}
	lines := f.log.lines(t)
	require.Len(t, lines, 1, "requests for readiness are logged at debug")
	require.Equal(t, "readiness check failed", lines[0]["msg"])
}

func TestCallerWhoLeavesMakesNoCheckFail(t *testing.T) {
	t.Parallel()
	f := setup(t, func(cfg *rest.Config) {
		cfg.Checks = []rest.Check{{Name: "database", Probe: func(ctx context.Context) error { return ctx.Err() }}}
	})
	left, cancel := context.WithCancel(t.Context())
	cancel()
	res := f.do(t, httptest.NewRequestWithContext(left, http.MethodGet, "/readyz", http.NoBody))
	require.Equal(t, http.StatusOK, res.StatusCode, text(t, res))
	require.Empty(t, f.log.lines(t))
}

func TestScrapesAreBounded(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	var entered atomic.Int32
	release := make(chan struct{})
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "slow"}, func() float64 {
		entered.Add(1)
		<-release
		return 1
	}))
	f := setup(t, func(cfg *rest.Config) { cfg.Registry = registry })
	var scraping sync.WaitGroup
	for range 4 {
		scraping.Go(func() { require.Equal(t, http.StatusOK, f.get(t, "/metrics").StatusCode) })
	}
	require.Eventually(t, func() bool { return entered.Load() == 4 }, time.Minute, time.Millisecond)
	require.Equal(t, http.StatusServiceUnavailable, f.get(t, "/metrics").StatusCode)
	close(release)
	scraping.Wait()
}

func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.get(t, "/api/things/0192f3a0-0000-7000-8000-000000000000")
	f.get(t, "/api/things/0192f3a0-0000-7000-8000-000000000001")
	f.get(t, "/nothing")
	f.get(t, "/api/panic")
	f.do(t, httptest.NewRequest("BREW", "/api/things", nil))
	metrics := text(t, f.get(t, "/metrics"))
	for _, line := range []string{
		`millrace_http_requests_total{method="GET",route="/api/panic",status="500"} 1`,
		`millrace_http_requests_total{method="GET",route="/api/things/{id}",status="200"} 2`,
		`millrace_http_requests_total{method="GET",route="unmatched",status="404"} 1`,
		`millrace_http_requests_total{method="other",route="unmatched",status="405"} 1`,
		`millrace_http_request_duration_seconds_count{method="GET",route="/api/things/{id}"} 2`,
		`millrace_http_requests_in_flight 1`, // the one that asks
	} {
		require.Contains(t, metrics, line+"\n")
	}
	require.Equal(t, 4, strings.Count(metrics, "\nmillrace_http_requests_total{"), "no series for each address and method")
}

func TestTwoServersShareARegistry(t *testing.T) {
	t.Parallel()
	f := setup(t)
	g := setup(t, func(cfg *rest.Config) { cfg.Registry = f.registry })
	f.get(t, "/api/things")
	g.get(t, "/api/things")
	require.Contains(t, text(t, f.get(t, "/metrics")), `millrace_http_requests_total{method="GET",route="/api/things",status="200"} 2`)
}

func TestMetricsOnAnAddressOfTheirOwn(t *testing.T) {
	t.Parallel()
	f := setup(t, func(cfg *rest.Config) { cfg.OpsApart = true })
	problem(t, f.get(t, "/metrics"), 404)
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		w := httptest.NewRecorder()
		f.server.OpsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, 200, w.Code, path)
	}
	w := httptest.NewRecorder()
	f.server.OpsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/things", nil))
	require.Equal(t, 404, w.Code)
}

func TestOpenAPIDocument(t *testing.T) {
	t.Parallel()
	res := setup(t).get(t, "/openapi.json")
	require.Equal(t, "application/json", res.Header.Get("Content-Type"))
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			Security  []map[string][]string      `json:"security"`
			Responses map[string]json.RawMessage `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas         map[string]json.RawMessage `json:"schemas"`
			SecuritySchemes map[string]json.RawMessage `json:"securitySchemes"`
		} `json:"components"`
	}
	require.NoError(t, json.Unmarshal([]byte(text(t, res)), &doc))
	require.Equal(t, "3.1.0", doc.OpenAPI)
	require.Contains(t, doc.Paths["/api/things"], "post")
	require.NotEmpty(t, doc.Paths["/api/own"]["put"].Security)
	require.Empty(t, doc.Paths["/api/things"]["post"].Security)
	for _, status := range []string{"200", "400", "401", "413", "415", "422", "500", "503"} {
		require.Contains(t, doc.Paths["/api/own"]["put"].Responses, status)
	}
	require.Contains(t, doc.Components.Schemas, "Problem")
	require.Contains(t, doc.Components.SecuritySchemes, "bearer")
}

func TestDocsNeedNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	f := setup(t)
	root := f.get(t, "/")
	require.Equal(t, http.StatusFound, root.StatusCode)
	require.Equal(t, "/docs", root.Header.Get("Location"))
	res := f.get(t, "/docs")
	require.Equal(t, 200, res.StatusCode)
	page := text(t, res)
	require.NotContains(t, page, "://")
	require.Contains(t, res.Header.Get("Content-Security-Policy"), "script-src 'self'")
	for _, file := range []string{"swagger-ui.css", "swagger-ui-bundle.js", "page.js", "favicon-32x32.png"} {
		require.Equal(t, 200, f.get(t, "/docs/"+file).StatusCode, file)
	}
	r := httptest.NewRequest(http.MethodGet, "/docs/swagger-ui.css", nil)
	plain := text(t, f.do(t, r))
	require.Contains(t, plain, ".swagger-ui")
	r.Header.Set("Accept-Encoding", "gzip")
	packed := f.do(t, r)
	require.Equal(t, "gzip", packed.Header.Get("Content-Encoding"))
	require.Less(t, len(text(t, packed)), len(plain))
	problem(t, f.get(t, "/docs/nothing.js"), 404)
	problem(t, f.get(t, "/docs/embed.go"), 404)
}
