// Millrace is an event-driven backend of three services: users, orders and events. README.md says what it promises.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/millrace/millrace/compose"
	"github.com/millrace/millrace/config"
	"github.com/millrace/millrace/process"
)

// commandLine is the binary's flags and sub-commands.
type commandLine struct {
	config.Settings

	ShowVersion kong.VersionFlag `name:"version" help:"Print the version."`

	Serve    struct{} `cmd:"" default:"withargs" help:"Run the services (the default)."`
	Gateway  struct{} `cmd:"" help:"One address for services that run apart; MILLRACE_UPSTREAMS says where they listen."`
	Migrate  struct{} `cmd:"" help:"Bring the databases to the newest schema and stop."`
	Services struct{} `cmd:"" help:"Print the names of the services, in the order of their start."`
	Version  struct{} `cmd:"" help:"Print the version."`
	Help     struct{} `cmd:"" help:"Print this help."`
}

// Exit codes.
const (
	exitFailed = 1
	exitConfig = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)   // a second signal ends the process at once
	signal.Ignore(syscall.SIGPIPE) // whoever read the log is gone: no reason to end, least of all without a drain
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (exit int) {
	var line commandLine
	if len(args) > 0 && args[0] == "help" {
		args = append(args[1:], "--help")
	}
	parser, err := kong.New(&line, kong.Name("millrace"), kong.Description("Users, orders and events: an event-driven backend."),
		kong.Writers(stdout, stderr), kong.UsageOnError(), kong.Vars{"version": version()})
	if err != nil {
		return fail(stderr, exitFailed, err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return fail(stderr, exitConfig, err)
	}
	switch parsed.Command() {
	case "version":
		_, _ = fmt.Fprintln(stdout, version())
		return 0
	case "services":
		_, _ = fmt.Fprintln(stdout, strings.Join(compose.ServiceNames(), "\n"))
		return 0
	}
	cfg, err := line.Parse(compose.ServiceNames())
	if err != nil {
		return fail(stderr, exitConfig, fmt.Errorf("the configuration has problems:\n  %s", strings.ReplaceAll(err.Error(), "\n", "\n  ")))
	}
	process.TuneGC(cfg)
	c := process.NewConsole(cfg, stdout, stderr)
	defer c.Close()
	for _, u := range config.FindUnknown(os.Environ()) {
		c.Log.WarnContext(ctx, "unknown setting has no effect", "variable", u.Name, "did_you_mean", u.Similar)
	}
	if err := runCommand(ctx, parsed.Command(), cfg, c); err != nil {
		return fail(c.Errs, exitFailed, err)
	}
	return 0
}

// runCommand runs a sub-command that needs the configuration.
func runCommand(ctx context.Context, name string, cfg config.Config, c *process.Console) error {
	switch name {
	case "migrate":
		return compose.Migrate(ctx, cfg, c.Log)
	case "gateway":
		g, err := compose.NewGateway(cfg, c)
		if err != nil {
			return err
		}
		return process.ServeHandler(ctx, cfg, c, g)
	}
	return process.Serve(ctx, cfg, process.Options{Version: version(), Console: c, Events: compose.Events, Build: injectors.Build})
}

func fail(stderr io.Writer, code int, err error) int {
	_, _ = fmt.Fprintf(stderr, "millrace: %s\n", config.Redact(err.Error()))
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
