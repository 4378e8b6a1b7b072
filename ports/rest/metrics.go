package rest

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) *metrics {
	return &metrics{
		requests: register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_http_requests_total", Help: "Requests answered.",
		}, []string{"method", "route", "status"})),
		duration: register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "millrace_http_request_duration_seconds", Help: "Time from the header's arrival to the end of the answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route"})),
		inFlight: register(registry, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "millrace_http_requests_in_flight", Help: "Requests being handled now.",
		})),
	}
}

// register gives the collector that the registry holds: c, or the same one of another server on this registry.
func register[C prometheus.Collector](registry prometheus.Registerer, c C) C {
	err := registry.Register(c)
	if there, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if same, ok := there.ExistingCollector.(C); ok {
			return same
		}
	}
	return c
}

func (m *metrics) observe(method, route string, status int, took time.Duration) {
	method = knownMethod(method)
	m.inFlight.Dec()
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(method, route).Observe(took.Seconds())
}

// knownMethod keeps clients from making a series of each word that they can think of.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}
