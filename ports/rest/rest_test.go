package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/ports/rest"
)

func TestMain(m *testing.M) {
	// net/http stays half a second with a connection on which it refused a request unread.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// thing is what the sample API of these tests is about.
type thing struct {
	Name  string  `json:"name" minLength:"1" maxLength:"20"`
	Email string  `json:"email,omitempty" format:"email"`
	Items []item  `json:"items,omitempty" maxItems:"3"`
	Note  *string `json:"note,omitempty"`
}

type item struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity" minimum:"1"`
}

type thingInput struct{ Body thing }
type thingOutput struct {
	Location string `header:"Location"`
	Body     thing
}
type idInput struct {
	ID string `path:"id" format:"uuid"`
}
type listInput struct {
	rest.PageInput

	Color string `query:"color" enum:"red,blue"`
}
type listOutput struct{ Body rest.Page[thing] }

// fixture is a server with a sample API, its log and its metrics.
type fixture struct {
	server   *rest.Server
	registry *prometheus.Registry
	log      *logBuffer
	fail     error // what every failing operation answers
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) lines(t *testing.T) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []map[string]any
	for line := range strings.Lines(l.b.String()) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		lines = append(lines, m)
	}
	return lines
}

type tokens map[string]principal.Principal

func (k tokens) Verify(_ context.Context, token string) (principal.Principal, error) {
	if token == "keys-away" {
		return principal.Principal{}, fault.New(fault.Unavailable, "keys_unavailable", "The keys cannot be fetched now.")
	}
	p, ok := k[token]
	if !ok {
		return p, fault.New(fault.Unauthenticated, "unauthenticated", "no such token").Because(errors.New("secret reason"))
	}
	return p, nil
}

func setup(t testing.TB, change ...func(*rest.Config)) *fixture {
	t.Helper()
	f := &fixture{registry: prometheus.NewRegistry(), log: &logBuffer{}}
	cfg := rest.Config{
		Logger:   slog.New(slog.NewJSONHandler(f.log, nil)),
		Registry: f.registry,
		Verifier: tokens{
			"user":  {UserID: [16]byte{1}, Role: principal.RoleUser},
			"admin": {UserID: [16]byte{2}, Role: principal.RoleAdmin},
			"drawn": {UserID: [16]byte{3}, Role: principal.RoleAdmin, MustChangePassword: true},
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	f.server = rest.New(cfg)
	f.register()
	return f
}

func (f *fixture) register() {
	api := f.server.API()
	rest.Register(api, huma.Operation{
		OperationID: "make-thing", Method: http.MethodPost, Path: "/api/things", DefaultStatus: http.StatusCreated,
	}, func(_ context.Context, in *thingInput) (*thingOutput, error) {
		return &thingOutput{Location: "/api/things/1", Body: in.Body}, nil
	})
	rest.Register(api, rest.SignedIn(huma.Operation{OperationID: "own-thing", Method: http.MethodPut, Path: "/api/own"}),
		func(ctx context.Context, in *thingInput) (*thingOutput, error) {
			in.Body.Name = string(rest.Caller(ctx).Role)
			return &thingOutput{Body: in.Body}, nil
		})
	rest.Register(api, rest.BeforePasswordChange(rest.SignedIn(huma.Operation{
		OperationID: "change-password", Method: http.MethodPut, Path: "/api/password",
	})), func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
	rest.Register(api, rest.SignedIn(huma.Operation{OperationID: "admin-thing", Method: http.MethodGet, Path: "/api/admin"},
		principal.RoleAdmin),
		func(context.Context, *struct{}) (*listOutput, error) { return &listOutput{}, nil })
	rest.Register(api, huma.Operation{OperationID: "list-things", Method: http.MethodGet, Path: "/api/things"},
		func(_ context.Context, in *listInput) (*listOutput, error) {
			if in.Limit != 50 {
				return &listOutput{Body: rest.Page[thing]{NextCursor: "more"}}, nil
			}
			return &listOutput{}, nil
		})
	rest.Register(api, huma.Operation{OperationID: "get-thing", Method: http.MethodGet, Path: "/api/things/{id}"},
		func(context.Context, *idInput) (*thingOutput, error) {
			return &thingOutput{Body: thing{Name: "a"}}, nil
		})
	rest.Register(api, huma.Operation{OperationID: "fail", Method: http.MethodGet, Path: "/api/fail"},
		func(context.Context, *struct{}) (*struct{}, error) { return nil, f.fail })
	rest.Register(api, huma.Operation{OperationID: "panic", Method: http.MethodGet, Path: "/api/panic"},
		func(context.Context, *struct{}) (*struct{}, error) { panic("secret of a panic") })
}

func (f *fixture) do(t *testing.T, r *http.Request) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	f.server.Handler().ServeHTTP(w, r)
	return w.Result()
}

func (f *fixture) get(t *testing.T, path string) *http.Response {
	t.Helper()
	return f.do(t, httptest.NewRequest(http.MethodGet, path, nil))
}

func (f *fixture) post(t *testing.T, body string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/api/things", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return f.do(t, r)
}

func text(t *testing.T, res *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(data)
}

// problem reads a failed answer and checks what holds for every one of them.
func problem(t *testing.T, res *http.Response, status int) rest.Problem {
	t.Helper()
	body := text(t, res)
	require.Equal(t, status, res.StatusCode, body)
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
	var p rest.Problem
	require.NoError(t, json.Unmarshal([]byte(body), &p), body)
	require.Equal(t, status, p.Status)
	require.Equal(t, "urn:millrace:problem:"+p.Code, p.Type)
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.Detail)
	require.Equal(t, res.Header.Get("X-Correlation-ID"), p.CorrelationID)
	return p
}
