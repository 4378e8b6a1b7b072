package router

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// relayMetrics are those of one service's relay.
type relayMetrics struct {
	lease, backlog, oldest, held        prometheus.Gauge
	published, failed, unmarked, purged prometheus.Counter
}

func newRelayMetrics(reg prometheus.Registerer, service string) (*relayMetrics, error) {
	var errs []error
	gauge := func(name, help string) prometheus.Gauge {
		v, err := register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"service"}))
		errs = append(errs, err)
		return v.WithLabelValues(service)
	}
	counter := func(name, help string) prometheus.Counter {
		v, err := register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"service"}))
		errs = append(errs, err)
		return v.WithLabelValues(service)
	}
	m := &relayMetrics{
		lease:     gauge("millrace_relay_lease", "1 in the process that holds the lease of the service's outbox."),
		backlog:   gauge("millrace_outbox_backlog", "Outbox rows that no broker acknowledged, at the holder of the lease."),
		oldest:    gauge("millrace_outbox_oldest_seconds", "Age of the oldest of them."),
		held:      gauge("millrace_outbox_held_keys", "Keys held back because a row of theirs could not be published."),
		published: counter("millrace_outbox_published_total", "Outbox rows that the broker acknowledged."),
		failed:    counter("millrace_outbox_failed_total", "Publications that failed, or whose outcome is not known."),
		unmarked:  counter("millrace_outbox_unmarked_total", "Acknowledged rows that the broker had lost, published again."),
		purged:    counter("millrace_outbox_purged_total", "Acknowledged rows deleted after the time they are kept for."),
	}
	return m, errors.Join(errs...)
}

func (m *relayMetrics) waiting(b Backlog, now time.Time) {
	m.backlog.Set(float64(b.Rows))
	m.oldest.Set(0)
	if !b.Oldest.IsZero() {
		m.oldest.Set(max(now.Sub(b.Oldest), 0).Seconds())
	}
}

// resigned empties what only the holder of the lease reports.
func (m *relayMetrics) resigned() {
	m.lease.Set(0)
	m.held.Set(0)
	m.waiting(Backlog{}, time.Time{})
}
