package rest_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/ports/rest"
)

// BenchmarkPost is what the edge adds to an operation with a body of two items.
func BenchmarkPost(b *testing.B) {
	f := setup(b, func(cfg *rest.Config) { cfg.Logger = slog.New(slog.DiscardHandler) })
	handler := f.server.Handler()
	const body = `{"name":"a name","items":[{"sku":"SKU-1","quantity":2},{"sku":"SKU-2","quantity":1}],"note":"leave it at the door"}`
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPut, "/api/own", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer user")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		require.Equal(b, http.StatusOK, w.Code)
	}
}

// BenchmarkBare is the part of BenchmarkPost that is the test's own: request and recorder.
func BenchmarkBare(b *testing.B) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPut, "/api/own", strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		require.Equal(b, http.StatusOK, w.Code)
	}
}
