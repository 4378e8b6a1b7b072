// Millrace is an event-driven backend of three services: users, orders and events. README.md tells what it promises.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// commandLine is the binary's flags and sub-commands.
type commandLine struct {
	settings

	Serve   struct{} `cmd:"" default:"withargs" help:"Run the services (the default)."`
	Migrate struct{} `cmd:"" help:"Bring the databases to the newest schema and stop."`
	Version struct{} `cmd:"" help:"Print the version."`
}

// Exit codes.
const (
	exitFailed = 1
	exitConfig = 2
)

// gcPercent trades memory for time: the services hold little that lives long, and with Go's default of 100 a tenth of the processors' time
// and more goes into collecting a heap of some 10 MiB. An embedded broker holds more, so its process gets less. GOGC overrides both,
// GOMEMLIMIT bounds them.
const (
	gcPercent         = 400
	gcPercentEmbedded = 200
	gcPercentHashing  = 100
)

// collect sets how far the heap of a process may grow.
func collect(cfg config) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(cfg.gcPercent())
	}
}

// gcPercent is how far the heap may grow. Where passwords are hashed, what lives is at times 140 MiB: five times that were a flood of
// sign-ins away.
func (c config) gcPercent() int {
	switch {
	case c.embedded():
		return gcPercentEmbedded
	case slices.Contains(c.Services, serviceUser):
		return gcPercentHashing
	}
	return gcPercent
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)   // a second signal ends the process at once
	signal.Ignore(syscall.SIGPIPE) // whoever read the log is gone: no reason to end, least of all without a drain
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, nil))
}

// run is the whole program. notify, where it is given, hears the API's address once it listens.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, notify func(addr string)) (exit int) {
	var line commandLine
	parser, err := kong.New(&line, kong.Name("millrace"), kong.Description("Users, orders and events: an event-driven backend."),
		kong.Writers(stdout, stderr), kong.UsageOnError())
	if err != nil {
		return fail(stderr, exitFailed, err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return fail(stderr, exitConfig, err)
	}
	if parsed.Command() == "version" {
		_, _ = fmt.Fprintln(stdout, version())
		return 0
	}
	cfg, err := line.parse()
	if err != nil {
		return fail(stderr, exitConfig, fmt.Errorf("the configuration has problems:\n  %s", strings.ReplaceAll(err.Error(), "\n", "\n  ")))
	}
	collect(cfg)
	c := newConsole(cfg, stdout, stderr)
	defer c.close()
	if parsed.Command() == "migrate" {
		err = migrate(ctx, cfg, c.log)
	} else {
		err = serve(ctx, cfg, c, notify)
	}
	if err != nil {
		return fail(c.errs, exitFailed, err)
	}
	return 0
}

func fail(stderr io.Writer, code int, err error) int {
	_, _ = fmt.Fprintf(stderr, "millrace: %v\n", err)
	return code
}

// version is that of the module, or of the commit that the binary was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	return "development"
}
