package router

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/router/metric"
)

// metrics are the router's, shared by all services of a process. Their labels come from fixed sets: an event type that nobody
// named is "other".
type metrics struct {
	types    map[string]bool
	messages *prometheus.CounterVec
	attempts *prometheus.CounterVec
	duration *prometheus.HistogramVec
	paused   *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer, types []string) (*metrics, error) {
	m := &metrics{types: map[string]bool{}}
	for _, t := range types {
		m.types[t] = true
	}
	var errs [4]error
	m.messages, errs[0] = metric.Register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_messages_handled_total",
		Help: "Deliveries by what became of them: handled, poisoned, failed (comes back), early, paused, left (while closing).",
	}, []string{"consumer", "type", "outcome"}))
	m.attempts, errs[1] = metric.Register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_message_attempts_failed_total",
		Help: "Attempts that answered an error, by its kind.",
	}, []string{"consumer", "kind"}))
	m.duration, errs[2] = metric.Register(reg, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "millrace_message_handling_seconds",
		Help:    "Time that a delivery took, with its quick retries.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"consumer"}))
	m.paused, errs[3] = metric.Register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "millrace_consumers_paused",
		Help: "1 while a service's consumers wait for its database.",
	}, []string{"service"}))
	return m, errors.Join(errs[:]...)
}

func (m *metrics) handled(consumer, eventType string, o outcome, took time.Duration) {
	if !m.types[eventType] {
		eventType = "other"
	}
	m.messages.WithLabelValues(consumer, eventType, string(o)).Inc()
	m.duration.WithLabelValues(consumer).Observe(took.Seconds())
}

func (m *metrics) attemptFailed(consumer string, err error) {
	m.attempts.WithLabelValues(consumer, fault.KindOf(err).String()).Inc()
}
