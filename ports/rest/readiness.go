package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/app/fault"
)

// Need says what the failure of a check means.
type Need int

const (
	// Required makes the process unready: it cannot answer requests.
	Required Need = iota
	// Degrades leaves it ready, and says so: requests are answered, but something behind them waits.
	Degrades
)

// Check is one thing that readiness depends on.
type Check struct {
	Name string
	Need Need
	// Probe returns nil while the thing works. It must honour ctx.
	Probe func(ctx context.Context) error
}

// probeTimeout bounds a probe, so that a database that hangs is seen as away.
const probeTimeout = 2 * time.Second

type readiness struct {
	checks  []Check
	logger  *slog.Logger
	started atomic.Bool // what is required was there once

	mu     sync.Mutex
	failed map[string]bool // what failed last time, so that only changes are logged
}

func newReadiness(checks []Check, logger *slog.Logger) *readiness {
	return &readiness{checks: checks, logger: logger, failed: map[string]bool{}}
}

type readinessReport struct {
	Status string                 `json:"status"` // ready, degraded, starting, unready, draining
	Checks map[string]checkReport `json:"checks"`
}

type checkReport struct {
	Status   string `json:"status"` // ok, failed
	Required bool   `json:"required"`
	Detail   string `json:"detail,omitempty"` // of a failure that has words for everybody
}

func (rd *readiness) serve(w http.ResponseWriter, r *http.Request, draining bool) {
	report := rd.probe(context.WithoutCancel(r.Context())) // a caller who leaves says nothing of the database
	if draining {
		report.Status = "draining"
	}
	w.Header().Set("Content-Type", "application/json")
	if report.Status != "ready" && report.Status != "degraded" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = writeJSON(w, report) // strings and maps of them can always be written
}

// probe runs all checks at once. A caller who leaves does not cancel them: otherwise anybody could make them fail.
func (rd *readiness) probe(ctx context.Context) readinessReport {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer cancel()
	errs := make([]error, len(rd.checks))
	var wg sync.WaitGroup
	for i, c := range rd.checks {
		wg.Go(func() { errs[i] = c.Probe(ctx) })
	}
	wg.Wait()
	report := readinessReport{Status: "ready", Checks: make(map[string]checkReport, len(errs))}
	for i, c := range rd.checks {
		rd.note(ctx, c, errs[i])
		result := checkReport{Status: "ok", Required: c.Need == Required}
		if errs[i] != nil {
			result.Status = "failed"
			if e, ok := errors.AsType[*fault.Error](errs[i]); ok {
				result.Detail = e.Message
			}
			report.Status = worse(report.Status, c.Need)
		}
		report.Checks[c.Name] = result
	}
	switch {
	case report.Status != "unready":
		rd.started.Store(true)
	case !rd.started.Load():
		report.Status = "starting"
	}
	return report
}

func worse(status string, need Need) string {
	if need == Required || status == "unready" {
		return "unready"
	}
	return "degraded"
}

// note logs a check whose result changed, with the cause. The answer has no causes, because they may name hosts.
func (rd *readiness) note(ctx context.Context, c Check, err error) {
	rd.mu.Lock()
	before := rd.failed[c.Name]
	rd.failed[c.Name] = err != nil
	rd.mu.Unlock()
	switch {
	case err != nil && !before:
		rd.logger.WarnContext(ctx, "readiness check failed", slog.String("check", c.Name), slog.Any("error", err))
	case err == nil && before:
		rd.logger.InfoContext(ctx, "readiness check recovered", slog.String("check", c.Name))
	}
}
