// Command bench measures what docs/benchmarks.md shows. Everything that is compared is measured in the same run, on a MariaDB of its
// own that syncs every commit and an external nats-server that syncs every second.
//
//	go run ./bench                         everything; it builds the binary and nats-server first
//	go run ./bench -only orders,latency    some sections of orders, latency, relay, consume, memory
//	go run ./bench -quick                  a short run that shows that all works, and no figures to quote
//
// A table goes to standard output, the same as JSON to .build/bench.json, progress to standard error. It needs Linux, mariadbd and
// mariadb-install-db.
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

// options are what a run is made of.
type options struct {
	only       []string
	rounds     int
	phase      time.Duration // of measured load
	rows       int           // of the relay's outbox, of the stream that is consumed, and orders behind which memory is looked at
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
	measure func(ctx context.Context, l *lab) error
}

var sections = []section{
	{"orders", measureOrders},
	{"latency", measureLatency},
	{"relay", measureRelay},
	{"consume", measureConsumption},
	{"memory", measureMemory},
}

func main() {
	o, err := parse(os.Args[1:])
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

// parse reads the command line. What is not a flag is an error, so that a mistyped one does not run something else.
func parse(args []string) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&only, "only", "", "sections to run, of orders, latency, relay, consume, memory; all by default")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds of each comparison; the median is shown")
	flags.DurationVar(&o.phase, "phase", 4*time.Second, "measured load in a round")
	flags.IntVar(&o.rows, "rows", 100_000, "rows to relay, events to consume, orders to hold in memory")
	flags.BoolVar(&o.quick, "quick", false, "one short round of everything")
	flags.BoolVar(&o.keep, "keep", false, "keep the folder with data and logs")
	flags.StringVar(&o.binary, "millrace", "", "a binary to measure instead of building it")
	flags.StringVar(&o.natsServer, "nats-server", "", "a nats-server to use instead of building it")
	flags.StringVar(&o.natsConf, "nats-conf", "deploy/nats.conf", "its configuration")
	flags.StringVar(&o.dir, "dir", ".build/bench", "where a run keeps its data and logs")
	flags.StringVar(&o.json, "json", ".build/bench.json", "where the figures go")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected %q", flags.Arg(0))
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
				return o, fmt.Errorf("no section %q: there are %s", name, strings.Join(known, ", "))
			}
		}
	}
	var err error
	o.dir, err = filepath.Abs(o.dir)
	return o, err
}

// run measures the sections that were asked for and writes what came of them, also when a later one failed.
func run(ctx context.Context, o options) (err error) {
	if o, err = build(ctx, o); err != nil {
		return err
	}
	l, err := newLab(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	for _, s := range sections {
		if !slices.Contains(o.only, s.name) {
			continue
		}
		if err = s.measure(ctx, l); err != nil {
			err = fmt.Errorf("%s: %w", s.name, err)
			break
		}
	}
	return errors.Join(err, l.report.write(os.Stdout, o.json))
}

// build makes the programs that are measured, from this module.
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
		full, err := filepath.Abs(*program.path)
		if err != nil {
			return o, err
		}
		*program.path = full
	}
	return o, nil
}
