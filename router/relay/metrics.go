package relay

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/router/metric"
)

// relayMetrics are those of one service's relay.
type relayMetrics struct {
	lease, backlog, oldest, held        prometheus.Gauge
	refused                             map[string]prometheus.Gauge // by stream
	published, failed, unmarked, purged prometheus.Counter
}

func newRelayMetrics(reg prometheus.Registerer, service string) (*relayMetrics, error) {
	var errs []error
	gauge := func(name, help string) prometheus.Gauge {
		v, err := metric.Register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"service"}))
		errs = append(errs, err)
		return v.WithLabelValues(service)
	}
	counter := func(name, help string) prometheus.Counter {
		v, err := metric.Register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"service"}))
		errs = append(errs, err)
		return v.WithLabelValues(service)
	}
	m := &relayMetrics{
		lease:     gauge("millrace_relay_lease", "1 in the process that holds the lease of the service's outbox."),
		backlog:   gauge("millrace_outbox_backlog", "Outbox rows that no broker acknowledged, at every replica."),
		oldest:    gauge("millrace_outbox_oldest_seconds", "Age of the oldest outbox row that no broker acknowledged."),
		held:      gauge("millrace_outbox_held_keys", "Keys held back because a row of theirs could not be published."),
		published: counter("millrace_outbox_published_total", "Outbox rows that the broker acknowledged."),
		failed:    counter("millrace_outbox_failed_total", "Publications that failed, or whose outcome is not known."),
		unmarked:  counter("millrace_outbox_unmarked_total", "Acknowledged rows that the broker had lost, published again."),
		purged:    counter("millrace_outbox_purged_total", "Acknowledged rows deleted after the time they are kept for."),
	}
	streaming, err := metric.Register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "millrace_outbox_refused", Help: "1 while the broker refuses what is published to the stream.",
	}, []string{"service", "stream"}))
	if errs = append(errs, err); err == nil {
		m.refused = map[string]prometheus.Gauge{}
		for _, stream := range envelope.Prefixes() {
			m.refused[stream] = streaming.WithLabelValues(service, stream)
		}
	}
	return m, errors.Join(errs...)
}

// setBacklog takes a count of what waits.
func (m *relayMetrics) setBacklog(rows int64) { m.backlog.Set(float64(rows)) }

// setOldestAge takes the age of the oldest row; 0 where none waits.
func (m *relayMetrics) setOldestAge(age time.Duration) { m.oldest.Set(age.Seconds()) }

// setRefused takes whether a stream refuses what is published to it.
func (m *relayMetrics) setRefused(stream string, refused bool) {
	if g := m.refused[stream]; g != nil && refused {
		g.Set(1)
	} else if g != nil {
		g.Set(0)
	}
}

// clearLeader empties what only the holder of the lease reports.
func (m *relayMetrics) clearLeader() {
	m.lease.Set(0)
	m.held.Set(0)
	for stream := range m.refused {
		m.setRefused(stream, false)
	}
}
