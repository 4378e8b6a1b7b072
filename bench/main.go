// Command bench measures the figures in docs/benchmarks.md. Each result and its baseline are measured in the same run, with a private
// MariaDB that syncs every commit and a nats-server that syncs every second.
//
//	go run ./bench                         builds the binaries and measures all sections
//	go run ./bench -only orders,latency    measures some of the sections
//	go run ./bench -quick                  a short run that shows that everything works; its figures mean nothing
//
// It writes a table to standard output, the same results as JSON to .build/bench.json, and its progress to standard error. It requires
// Linux, mariadbd and mariadb-install-db.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the settings of a run.
type options struct {
	only       []string
	rounds     int
	phase      time.Duration // measured duration of load
	rows       int           // outbox rows to relay, events to consume, and orders to place before memory is measured
	quick      bool
	keep       bool
	binary     string
	natsServer string
	natsConf   string
	dir        string
	json       string
}

// section is one part of a run.
type section struct {
	name    string
	measure func(ctx context.Context, h *harness) error
}

var sections = []section{
	{"orders", measureOrders},
	{"latency", measureLatency},
	{"relay", measureRelay},
	{"consume", measureConsumption},
	{"memory", measureMemory},
	{"history-filters", measureHistoryFilters},
}

func main() {
	o, err := parseOptions(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// parseOptions parses the command line. It rejects arguments that are not flags, so that a mistyped flag does not start another run
// than the intended one.
func parseOptions(args []string) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&only, "only", "",
		"sections to measure, separated by commas: orders, latency, relay, consume, memory, history-filters; default all")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds of each comparison; the median is reported")
	flags.DurationVar(&o.phase, "phase", 4*time.Second, "measured duration of load in a round")
	flags.IntVar(&o.rows, "rows", 100_000, "outbox rows to relay, events to consume, orders to place before memory is measured")
	flags.BoolVar(&o.quick, "quick", false, "one short round of each section")
	flags.BoolVar(&o.keep, "keep", false, "keep the directory with data and logs")
	flags.StringVar(&o.binary, "millrace", "", "path of the millrace binary; built if empty")
	flags.StringVar(&o.natsServer, "nats-server", "", "path of the nats-server binary; built if empty")
	flags.StringVar(&o.natsConf, "nats-conf", "deploy/nats.conf", "path of the nats-server configuration")
	flags.StringVar(&o.dir, "dir", ".build/bench", "directory for data and logs")
	flags.StringVar(&o.json, "json", ".build/bench.json", "file for the results as JSON")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.quick {
		o.rounds, o.phase, o.rows = 1, time.Second, 4000
	}
	if o.rounds < 1 || o.phase <= 0 || o.rows < 4 {
		return o, errors.New("rounds and phase must be positive, rows at least 4")
	}
	for _, s := range sections {
		o.only = append(o.only, s.name)
	}
	if only != "" {
		known := o.only
		o.only = strings.Split(only, ",")
		for _, name := range o.only {
			if !slices.Contains(known, name) {
				return o, fmt.Errorf("unknown section %q; the sections are %s", name, strings.Join(known, ", "))
			}
		}
	}
	var err error
	o.dir, err = filepath.Abs(o.dir)
	return o, err
}

// run measures the selected sections and writes the report, also if one of them fails.
func run(ctx context.Context, o options) (err error) {
	if o, err = build(ctx, o); err != nil {
		return err
	}
	h, err := newHarness(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	for _, s := range sections {
		if !slices.Contains(o.only, s.name) {
			continue
		}
		if err = s.measure(ctx, h); err != nil {
			err = fmt.Errorf("%s: %w", s.name, err)
			break
		}
	}
	return errors.Join(err, h.report.write(os.Stdout, o.json))
}

// build builds the binaries for which o has no path, and returns o with absolute paths.
func build(ctx context.Context, o options) (options, error) {
	for _, program := range []struct {
		path   *string
		name   string
		source string
	}{{&o.binary, "millrace", "."}, {&o.natsServer, "nats-server", "github.com/nats-io/nats-server/v2"}} {
		if *program.path == "" {
			*program.path = filepath.Join(".build", program.name)
			out, err := exec.CommandContext(ctx, "go", "build", "-o", *program.path, program.source).CombinedOutput()
			if err != nil {
				return o, fmt.Errorf("build %s: %w: %s", program.name, err, out)
			}
		}
		absolute, err := filepath.Abs(*program.path)
		if err != nil {
			return o, err
		}
		*program.path = absolute
	}
	return o, nil
}
