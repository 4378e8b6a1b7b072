package rest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/millrace/millrace/app/correlation"
	"github.com/millrace/millrace/ports/rest"
)

func TestOperationsSeeTraceAndCorrelation(t *testing.T) {
	t.Parallel()
	const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for name, c := range map[string]struct {
		header []string
		trace  string
	}{
		"taken":     {[]string{traceparent}, "0af7651916cd43dd8448eb211c80319c"},
		"none":      {nil, "00000000000000000000000000000000"},
		"malformed": {[]string{"00-xyz"}, "00000000000000000000000000000000"},
		"two":       {[]string{traceparent, traceparent}, "00000000000000000000000000000000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			var span trace.SpanContext
			var ids correlation.IDs
			rest.Register(f.server.API(), huma.Operation{OperationID: "see", Method: http.MethodGet, Path: "/api/see"},
				func(ctx context.Context, _ *struct{}) (*struct{}, error) {
					span, ids = trace.SpanContextFromContext(ctx), correlation.From(ctx)
					return &struct{}{}, nil
				})
			r := httptest.NewRequest(http.MethodGet, "/api/see", nil)
			r.Header["Traceparent"] = c.header
			r.Header.Set(rest.HeaderCorrelation, "c-1")
			require.Equal(t, 204, f.do(t, r).StatusCode)
			require.Equal(t, c.trace, span.TraceID().String())
			require.Equal(t, correlation.IDs{Correlation: "c-1"}, ids)
		})
	}
}

// recorder is a trace.TracerProvider that keeps the names and parents of the spans that ended.
type recorder struct {
	noop.TracerProvider

	spans chan string
}

func (r *recorder) Tracer(string, ...trace.TracerOption) trace.Tracer {
	return recorderTracer{spans: r.spans}
}

type recorderTracer struct {
	noop.Tracer

	spans chan string
}

func (r recorderTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	return ctx, &recorderSpan{parent: trace.SpanContextFromContext(ctx).TraceID().String(), spans: r.spans}
}

type recorderSpan struct {
	noop.Span

	name, parent string
	spans        chan string
}

func (s *recorderSpan) SetName(name string)        { s.name = name }
func (s *recorderSpan) End(...trace.SpanEndOption) { s.spans <- s.name + " in " + s.parent }

func TestSpanIsNamedByItsRoute(t *testing.T) {
	t.Parallel()
	spans := make(chan string, 1)
	f := setup(t, func(cfg *rest.Config) { cfg.Tracer = &recorder{spans: spans} })
	r := httptest.NewRequest(http.MethodGet, "/api/things/0192f3a0-0000-7000-8000-000000000000", nil)
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.do(t, r)
	require.Equal(t, "GET /api/things/{id} in 0af7651916cd43dd8448eb211c80319c", <-spans)
}
