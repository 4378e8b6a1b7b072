package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckFollowsTheAnswer(t *testing.T) {
	t.Parallel()
	for status, healthy := range map[int]bool{200: true, 503: false, 404: false, 500: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		err := check(t.Context(), server.URL+"/readyz")
		server.Close()
		require.Equal(t, healthy, err == nil, "%d: %v", status, err)
	}
}

func TestCheckFailsWhereNobodyListens(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	require.Error(t, check(t.Context(), server.URL))
}

func TestCheckSaysWhatAStartingServiceWaitsFor(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"status":"starting","checks":{"order_keys":{"status":"failed"},"order_broker":{"status":"ok"},
			"order_database":{"status":"failed","detail":"The service is starting."}}}`))
	}))
	t.Cleanup(server.Close)
	require.ErrorContains(t, check(t.Context(), server.URL),
		"503 Service Unavailable: starting; order_database: The service is starting.; order_keys")
}
