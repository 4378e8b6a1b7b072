// Package process is one run of the binary: its services, what they share within the process, the HTTP server in front of them, and the
// drain at the end.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/millrace/millrace/config"
	"github.com/millrace/millrace/ports/rest"
)

// process is one run of the binary: the services, what they share within it, and the HTTP server in front of them.
type process struct {
	cfg      config.Config
	log      *slog.Logger
	out      io.Writer // for people: where it listens, how to sign in
	version  string
	registry *prometheus.Registry
	data     *DataDir // nil where nothing is embedded
	System            // what runs; empty until open has succeeded
	server   *rest.Server
	bound    []net.Listener // the API's first
	deadline time.Time      // of the drain
}

// Platform is what the services of a process are built from. None of it is a connection: those each service has for itself.
type Platform struct {
	Config   config.Config
	Secret   string
	Log      *slog.Logger
	Registry *prometheus.Registry
	Out      io.Writer // for people
}

// System is what runs in a process, with the verifier of access tokens and what closes it all.
type System struct {
	Services []*Service
	Verifier rest.Verifier
	Close    func()
}

// Options are what a run is made of beside its configuration.
type Options struct {
	Version string // of the build, for people
	Console *Console
	// Events returns the document of the events that are published, as AsyncAPI, for the version of the API.
	Events func(version string) ([]byte, error)
	// Build makes the services that the configuration names. It reaches for no server.
	Build func(ctx context.Context, p Platform) (System, error)
}

// Serve runs the configured services until ctx ends, and then drains.
func Serve(ctx context.Context, cfg config.Config, o Options) error {
	p := &process{cfg: cfg, log: o.Console.Log, out: o.Console.Out, version: o.Version, registry: prometheus.NewRegistry()}
	p.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), o.Console.dropped())
	if err := p.open(ctx, o); err != nil {
		return errors.Join(err, p.shut())
	}
	err := p.run(ctx)
	return errors.Join(err, p.inTime(p.shut))
}

// apiVersion is the version of what clients see. The documents in docs/api/released are of this version: a change that breaks clients
// needs another first number.
const apiVersion = "1.0.0"

// open locks the data folder and builds the services.
func (p *process) open(ctx context.Context, o Options) (err error) {
	if p.cfg.Embedded() {
		if p.data, err = LockDataDir(p.cfg.DataDir); err != nil {
			return err
		}
	}
	if err = p.bind(ctx); err != nil {
		return err
	}
	warnOfReaders(p.cfg, p.log)
	config.WarnOfWeakPasswords(p.cfg, p.log)
	secret, err := SecretKey(p.cfg)
	if err != nil {
		return err
	}
	p.System, err = o.Build(ctx, Platform{Config: p.cfg, Secret: secret, Log: p.log, Registry: p.registry, Out: p.out})
	if err != nil {
		return err
	}
	p.server = rest.New(rest.Config{
		Version: apiVersion, Logger: p.log, Verifier: p.Verifier, Registry: p.registry, Checks: p.checks(), OpsApart: p.cfg.OpsAddr != "",
		TrustedProxies: p.cfg.TrustedProxies, CORSOrigins: p.cfg.CORSOrigins,
		Events: func() ([]byte, error) { return o.Events(apiVersion) },
	})
	for _, s := range p.Services {
		s.Routes(rest.ForService(p.server.API(), s.Edge))
	}
	return nil
}

// checks are what readiness depends on. Databases are needed. One without room still answers reads, and a broker that is away only holds
// events back.
func (p *process) checks() (checks []rest.Check) {
	for _, s := range p.Services {
		checks = append(checks,
			rest.Check{Name: s.Name + "_database", Need: rest.Required, Probe: s.ready},
			rest.Check{Name: s.Name + "_writes", Need: rest.Degrades, Probe: s.DB.Writable},
			rest.Check{Name: s.Name + "_broker", Need: rest.Degrades, Probe: s.publishing},
			rest.Check{Name: s.Name + "_streams", Need: rest.Degrades, Probe: s.asMade})
		checks = append(checks, s.Checks...)
	}
	return checks
}

// Bounds of a drain; with flushAtMost together below the 8 s that it may take behind MILLRACE_DRAIN_DELAY.
const (
	shortestDelay = 250 * time.Millisecond // readiness fails for at least so long before the listener closes
	httpShutdown  = 2500 * time.Millisecond
	drainAtMost   = 7 * time.Second // from the end of the delay
)

// run listens, works until ctx ends or something fails for good, and drains.
func (p *process) run(ctx context.Context) (err error) {
	listeners := p.listeners()
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	services, https := newCrew(len(p.Services)), newCrew(len(listeners))
	for _, s := range p.Services {
		services.add("service "+s.Name, func() error { return s.run(work) })
	}
	for _, l := range listeners {
		https.add("listen on "+l.listener.Addr().String(), l.serve)
	}
	p.greet(listeners[0].listener.Addr().String())
	select {
	case <-ctx.Done():
	case err = <-services.failed:
	case err = <-https.failed:
	}
	delay := max(p.cfg.DrainDelay, shortestDelay)
	p.deadline = time.Now().Add(delay + drainAtMost)
	p.log.Info("draining", "delay", delay.String())
	p.drain(work, delay, listeners)
	err = errors.Join(err, https.wait())
	stop()
	if err = errors.Join(err, p.inTime(services.wait)); err == nil {
		p.log.Info("stopped")
	}
	return err
}

// inTime waits for end, but no longer than a drain may take: a database that hangs must not keep the process. What is cut off is safe:
// nobody was told that it happened, and messages in work come back.
func (p *process) inTime(end func() error) error {
	if p.deadline.IsZero() { // it ends before it began
		p.deadline = time.Now().Add(drainAtMost)
	}
	done := make(chan error, 1)
	go func() { done <- end() }()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Until(p.deadline)):
		p.log.Warn("what still runs is cut off")
		return nil
	}
}

// crew are goroutines that all should go on. The first failure is reported at once, the others at the end.
type crew struct {
	members sync.WaitGroup
	failed  chan error
}

func newCrew(size int) *crew { return &crew{failed: make(chan error, size)} }

func (c *crew) add(what string, work func() error) {
	c.members.Go(func() {
		if err := work(); err != nil {
			c.failed <- fmt.Errorf("%s: %w", what, err)
		}
	})
}

// wait returns when all have ended.
func (c *crew) wait() (err error) {
	c.members.Wait()
	close(c.failed)
	for e := range c.failed {
		err = errors.Join(err, e)
	}
	return err
}

// drain ends HTTP. First readiness fails while requests are still answered, so that whoever sends them sees it and goes elsewhere; each
// answer closes its connection, because one that is idle when the server closes it may lose a request that is on its way. Then no
// connection is taken any more, and the requests that run are finished.
func (p *process) drain(ctx context.Context, delay time.Duration, listeners []listener) {
	p.server.Drain()
	<-time.After(delay)
	ctx, cancel := context.WithTimeout(ctx, httpShutdown)
	defer cancel()
	var ending sync.WaitGroup
	for _, l := range listeners {
		ending.Go(func() {
			if err := l.server.Shutdown(ctx); err != nil {
				p.log.Warn("requests were cut off", "error", errors.Join(err, l.server.Close()))
			}
		})
	}
	ending.Wait()
}

// listener is an address with what is served there.
type listener struct {
	listener net.Listener
	server   *http.Server
}

func (l listener) serve() error {
	if err := l.server.Serve(l.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// bind takes the addresses before anything else is begun, so that one already in use is reported at once and nothing is left behind.
func (p *process) bind(ctx context.Context) error {
	var lc net.ListenConfig
	for _, a := range []struct{ name, addr string }{{"MILLRACE_HTTP_ADDR", p.cfg.HTTPAddr}, {"MILLRACE_OPS_ADDR", p.cfg.OpsAddr}} {
		if a.addr == "" {
			continue
		}
		l, err := lc.Listen(ctx, "tcp", a.addr)
		if err != nil {
			return fmt.Errorf("%s: %w; choose another address, or stop what is using it", a.name, err)
		}
		p.bound = append(p.bound, l)
	}
	return nil
}

// listeners are the bound addresses with what is served there.
func (p *process) listeners() []listener {
	all := []listener{{p.bound[0], p.server.HTTPServer(p.server.Handler())}}
	if p.cfg.OpsAddr != "" {
		all = append(all, listener{p.bound[1], p.server.HTTPServer(p.server.OpsHandler())})
	}
	return all
}

// greet tells a person where everything is.
func (p *process) greet(addr string) {
	_, _ = fmt.Fprintf(p.out, "Millrace %s is running (%s).\n  API            http://%s\n  documentation  http://%s/docs\n",
		p.version, p.cfg.Title(), addr, addr)
	if p.data != nil {
		_, _ = fmt.Fprintf(p.out, "  data           %s\n", p.data.path)
	}
}

// shut closes the connections, stops what is embedded and lets the data folder go.
func (p *process) shut() error {
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
