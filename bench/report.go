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

// figure is one number, beside another of the same run.
type figure struct {
	Section string             `json:"section"`
	What    string             `json:"what"`
	Value   float64            `json:"value"`
	Unit    string             `json:"unit"`
	Rounds  []float64          `json:"rounds,omitempty"` // the values of which Value is the median
	Beside  string             `json:"beside,omitempty"`
	Other   float64            `json:"other,omitempty"`
	Ratio   float64            `json:"ratio,omitempty"` // of Value to Other; of rounds, the median of their ratios
	Target  string             `json:"target,omitempty"`
	Met     *bool              `json:"met,omitempty"`
	Notes   map[string]float64 `json:"notes,omitempty"`
}

// besides compares f with another number of the same run.
func (f figure) besides(what string, other float64) figure {
	f.Beside, f.Other = what, other
	if other != 0 {
		f.Ratio = f.Value / other
	}
	return f
}

// aims says what the figure should be, and whether it is.
func (f figure) aims(target string, met bool) figure {
	f.Target, f.Met = target, &met
	return f
}

// report is what a run found.
type report struct {
	At      time.Time `json:"at"`
	Quick   bool      `json:"quick"`
	Machine machine   `json:"machine"`
	Figures []figure  `json:"figures"`
}

func newReport(ctx context.Context, l *lab) (*report, error) {
	m, err := look(ctx, l)
	return &report{At: time.Now().UTC(), Quick: l.quick, Machine: m}, err
}

// add keeps a figure and tells of it.
func (l *lab) add(f figure) {
	l.report.Figures = append(l.report.Figures, f)
	l.say("%s", strings.Join(f.cells(), "  "))
}

// write gives the table and the JSON.
func (r *report) write(out io.Writer, path string) error {
	m := r.Machine
	fmt.Fprintf(out, "%s, %d cores, %.1f GiB; %s, %s; MariaDB %s, innodb_flush_log_at_trx_commit=%s, log_bin=%s; "+
		"nats-server %s, sync_interval 1s\n\n",
		m.Processor, m.Cores, m.MemoryGiB, m.System, m.Go, m.MariaDB, m.FlushLog, m.BinaryLog, m.NATSServer)
	rows := [][]string{{"section", "what", "value", "beside", "ratio", "target", "notes"}}
	for _, f := range r.Figures {
		rows = append(rows, f.cells())
	}
	table(out, rows)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

// cells are the figure's row of the table.
func (f figure) cells() []string {
	cells := []string{f.Section, f.What, number(f.Value) + " " + f.Unit, "", "", f.Target, notes(f.Notes)}
	if f.Beside != "" {
		cells[3] = f.Beside + ": " + number(f.Other)
		cells[4] = fmt.Sprintf("%.2f", f.Ratio)
	}
	if f.Met != nil && *f.Met {
		cells[5] += ", met"
	} else if f.Met != nil {
		cells[5] += ", MISSED"
	}
	return cells
}

// number shows three digits that matter, or all of a large one.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
