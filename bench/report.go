package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// result is one measured value, with a baseline that was measured in the same run.
type result struct {
	Section       string             `json:"section"`
	Name          string             `json:"name"`
	Value         float64            `json:"value"`
	Unit          string             `json:"unit"`
	Rounds        []float64          `json:"rounds,omitempty"` // the values of which Value is the median
	Baseline      string             `json:"baseline,omitempty"`
	BaselineValue float64            `json:"baseline_value,omitempty"`
	Ratio         float64            `json:"ratio,omitempty"` // of Value to BaselineValue; with rounds the median of their ratios
	Target        string             `json:"target,omitempty"`
	Met           *bool              `json:"met,omitempty"`
	Notes         map[string]float64 `json:"notes,omitempty"`
}

// withBaseline returns r with a baseline.
func (r result) withBaseline(name string, value float64) result {
	r.Baseline, r.BaselineValue = name, value
	if value != 0 {
		r.Ratio = r.Value / value
	}
	return r
}

// withTarget returns r with a target and whether it was met.
func (r result) withTarget(target string, met bool) result {
	r.Target, r.Met = target, &met
	return r
}

// report is the result of a run.
type report struct {
	At      time.Time `json:"at"`
	Quick   bool      `json:"quick"`
	Machine machine   `json:"machine"`
	Results []result  `json:"results"`
}

func newReport(ctx context.Context, h *harness) (*report, error) {
	m, err := describeMachine(ctx, h)
	return &report{At: time.Now().UTC(), Quick: h.quick, Machine: m}, err
}

// add adds a result to the report and prints it as progress.
func (h *harness) add(r result) {
	h.report.Results = append(h.report.Results, r)
	h.progress("%s", strings.Join(r.cells(), "  "))
}

// write writes the table to out and the JSON to path.
func (r *report) write(out io.Writer, path string) error {
	m := r.Machine
	fmt.Fprintf(out, "%s, %d cores, %.1f GiB; %s, %s; MariaDB %s, innodb_flush_log_at_trx_commit=%s, log_bin=%s; "+
		"nats-server %s, sync_interval 1s\n\n",
		m.Processor, m.Cores, m.MemoryGiB, m.System, m.Go, m.MariaDB, m.FlushLog, m.BinaryLog, m.NATSServer)
	rows := [][]string{{"section", "measurement", "value", "baseline", "ratio", "target", "notes"}}
	for _, result := range r.Results {
		rows = append(rows, result.cells())
	}
	writeTable(out, rows)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

// cells returns the table row of r.
func (r result) cells() []string {
	cells := []string{r.Section, r.Name, formatNumber(r.Value) + " " + r.Unit, "", "", r.Target, formatNotes(r.Notes)}
	if r.Baseline != "" {
		cells[3] = r.Baseline + ": " + formatNumber(r.BaselineValue)
		cells[4] = fmt.Sprintf("%.2f", r.Ratio)
	}
	if r.Met != nil && *r.Met {
		cells[5] += ", met"
	} else if r.Met != nil {
		cells[5] += ", MISSED"
	}
	return cells
}

// formatNumber returns v with three significant digits, or as an integer if it is at least 100.
func formatNumber(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
