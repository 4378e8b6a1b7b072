// Package process is one run of the binary: it locks the data folder, listens, builds the services, runs them behind one HTTP server,
// and drains at the end. How a single service runs is the business of package lifecycle, which other modules can use.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/millrace/millrace/config"
	"github.com/millrace/millrace/lifecycle"
	"github.com/millrace/millrace/ports/rest"
)

// apiVersion is the version of the API. The documents in docs/api/released are of this version: a change that breaks clients needs another
// major number.
const apiVersion = "1.0.0"

// Time limits of a drain. Behind MILLRACE_DRAIN_DELAY it takes at most 8 s in all, flushTimeout included.
const (
	shortestDelay   = 250 * time.Millisecond  // readiness fails for at least so long before the listener closes
	requestsTimeout = 2500 * time.Millisecond // for requests that run
	drainTimeout    = 7 * time.Second         // for everything, from the end of the delay
)

// Options are what a run consists of beside its configuration.
type Options struct {
	Version string // of the build
	Console *Console
	// Events returns the AsyncAPI document of the published events, for the version of the API.
	Events func(version string) ([]byte, error)
	// Build builds the services that the configuration names. It connects to no server.
	Build func(ctx context.Context, p Platform) (System, error)
}

// Platform is what the services of a process are built from. None of it is a connection: each service has its own.
type Platform struct {
	Config   config.Config
	Secret   string
	Log      *slog.Logger
	Registry *prometheus.Registry
	Out      io.Writer // for people
	// Intact returns an error while the data folder in use is gone or was replaced. It is nil where there is none.
	Intact func() error
}

// System is what runs in a process, with the verifier of access tokens and what closes it all.
type System struct {
	Services []*Service
	Verifier rest.Verifier
	Close    func()
}

// process is one run of the binary.
type process struct {
	cfg      config.Config
	version  string
	log      *slog.Logger
	out      io.Writer // for people: where it listens, how to sign in
	registry *prometheus.Registry
	data     *DataDir       // nil where nothing is embedded
	bound    []net.Listener // the API's first
	System                  // empty until open has succeeded
	server   *rest.Server
}

// Serve runs the configured services until ctx ends or one of them fails for good, and then drains.
func Serve(ctx context.Context, cfg config.Config, o Options) error {
	p := &process{cfg: cfg, version: o.Version, log: o.Console.Log, out: o.Console.Out, registry: prometheus.NewRegistry()}
	p.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), o.Console.dropped())
	p.log.InfoContext(ctx, "starting", "version", p.version, "runs", cfg.Title(), "data_dir", cfg.DataDir)
	if err := p.open(ctx, o); err != nil {
		return errors.Join(err, p.close())
	}
	return p.run(ctx)
}

// open locks the data folder, binds the addresses and builds the services and the HTTP server.
func (p *process) open(ctx context.Context, o Options) (err error) {
	if p.cfg.Embedded() {
		if p.data, err = LockDataDir(p.cfg.DataDir, p.log); err != nil {
			return err
		}
	}
	if err = p.bind(ctx); err != nil {
		return err
	}
	warnOfOpenFiles(p.cfg, p.log)
	config.WarnOfWeakPasswords(p.cfg, p.log)
	secret, err := SecretKey(p.cfg)
	if err != nil {
		return err
	}
	platform := Platform{Config: p.cfg, Secret: secret, Log: p.log, Registry: p.registry, Out: p.out}
	if p.data != nil {
		platform.Intact = p.data.Intact
	}
	p.System, err = o.Build(ctx, platform)
	if err != nil {
		return err
	}
	return p.openServer(func() ([]byte, error) { return o.Events(apiVersion) })
}

// openServer builds the HTTP server with the routes and checks of all services.
func (p *process) openServer(events func() ([]byte, error)) error {
	var checks []rest.Check
	if p.data != nil {
		probe := func(context.Context) error { return p.data.Intact() }
		checks = append(checks, rest.Check{Name: "data_folder", Need: rest.Required, Probe: probe})
	}
	for _, s := range p.Services {
		if err := s.open(); err != nil {
			return err
		}
		checks = append(checks, s.checks()...)
	}
	p.server = rest.New(rest.Config{
		Version: apiVersion, Logger: p.log, Verifier: p.Verifier, Registry: p.registry, Checks: checks, OpsApart: p.cfg.OpsAddr != "",
		TrustedProxies: p.cfg.TrustedProxies, CORSOrigins: p.cfg.CORSOrigins, Events: events,
	})
	for _, s := range p.Services {
		s.Routes(rest.ForService(p.server.API(), s.Edge))
	}
	return nil
}

// run starts the services and the HTTP servers, waits for the end of ctx or the first failure, and drains.
func (p *process) run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	services, serviceFailed := lifecycle.NewGroup(work)
	for _, s := range p.Services {
		services.Go("service "+s.Name, func() error { return s.running.Run(work) })
	}
	listeners := p.listeners()
	servers, serverFailed := lifecycle.NewGroup(work)
	for _, l := range listeners {
		servers.Go("listen on "+l.listener.Addr().String(), l.serve)
	}
	p.greet(listeners[0].listener.Addr().String())

	select {
	case <-ctx.Done():
	case <-serviceFailed.Done():
	case <-serverFailed.Done():
	}
	delay := max(p.cfg.DrainDelay, shortestDelay)
	deadline := time.Now().Add(delay + drainTimeout)
	p.log.InfoContext(work, "draining", "delay", delay.String())
	err := p.drainHTTP(work, delay, listeners, servers)
	stop()
	err = errors.Join(err, p.within(deadline, "services", services.Wait))
	if err = errors.Join(err, p.within(deadline, "connections", p.close)); err == nil {
		p.log.InfoContext(ctx, "stopped")
	}
	return err
}

// within waits for end, but not beyond the deadline: a database that hangs must not keep the process. What is abandoned then is safe:
// nobody was told that it happened, and messages in work are redelivered.
func (p *process) within(deadline time.Time, what string, end func() error) error {
	done := make(chan error, 1)
	go func() { done <- end() }()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Until(deadline)):
		p.log.Warn("shutdown deadline exceeded", "waiting_for", what)
		return nil
	}
}

// close closes the connections, stops what is embedded and unlocks the data folder.
func (p *process) close() error {
	for _, l := range p.bound {
		_ = l.Close() // where it was served, its server has closed it
	}
	if p.Close != nil {
		p.Close()
	}
	if p.data != nil {
		return p.data.Unlock()
	}
	return nil
}

// greet tells a person where everything is.
func (p *process) greet(addr string) {
	_, _ = fmt.Fprintf(p.out, "Millrace %s is running (%s).\n  API            http://%s\n  documentation  http://%s/docs\n",
		p.version, p.cfg.Title(), addr, addr)
	if p.data != nil {
		_, _ = fmt.Fprintf(p.out, "  data           %s\n", p.data.path)
	}
}
