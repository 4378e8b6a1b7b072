package rest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

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
