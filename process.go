package main

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

	"github.com/millrace/millrace/ports/asyncapi"
	"github.com/millrace/millrace/ports/rest"
)

// process is one run of the binary: the services, what they share within it, and the HTTP server in front of them.
type process struct {
	cfg      config
	log      *slog.Logger
	out      io.Writer // for people: where it listens, how to sign in
	registry *prometheus.Registry
	data     *dataDir // nil where nothing is embedded
	brokers  *brokers
	system   // what runs; empty until open has succeeded
	server   *rest.Server
	bound    []net.Listener // the API's first
	deadline time.Time      // of the drain
}

// serve runs the configured services until ctx ends, and then drains. notify, where it is given, hears the API's address once it
// listens.
func serve(ctx context.Context, cfg config, c *console, notify func(addr string)) error {
	p := &process{cfg: cfg, log: c.log, out: c.out, registry: prometheus.NewRegistry()}
	p.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), c.dropped())
	if err := p.open(ctx); err != nil {
		return errors.Join(err, p.shut())
	}
	err := p.run(ctx, notify)
	return errors.Join(err, p.inTime(p.shut))
}

// apiVersion is the version of what clients see. The documents in docs/api/released are of this version: a change that breaks clients
// needs another first number.
const apiVersion = "1.0.0"

// open locks the data folder, starts what is embedded and builds the services. It reaches for no server.
func (p *process) open(ctx context.Context) (err error) {
	if p.cfg.embedded() {
		if p.data, err = lockDataDir(p.cfg.DataDir); err != nil {
			return err
		}
	}
	if err = p.bind(ctx); err != nil {
		return err
	}
	warnOfReaders(p.cfg, p.log)
	warnOfWeakPasswords(p.cfg, p.log)
	secret, err := secretKey(p.cfg)
	if err != nil {
		return err
	}
	if p.brokers, err = startBrokers(p.cfg, p.log); err != nil {
		return err
	}
	p.system, err = initialize(ctx, platform{cfg: p.cfg, secret: secret, log: p.log, registry: p.registry, brokers: p.brokers, out: p.out})
	if err != nil {
		return err
	}
	p.server = rest.New(rest.Config{
		Version: apiVersion, Logger: p.log, Verifier: p.verifier, Registry: p.registry, Checks: p.checks(), OpsApart: p.cfg.OpsAddr != "",
		TrustedProxies: p.cfg.TrustedProxies, CORSOrigins: p.cfg.CORSOrigins, Now: newClock(), NewID: newIDs(),
		Events: func() ([]byte, error) { return asyncapi.Document(apiVersion) },
	})
	for _, s := range p.services {
		s.routes(rest.ForService(p.server.API(), s.edge))
	}
	return nil
}

// checks are what readiness depends on. Databases are needed. One without room still answers reads, and a broker that is away only holds
// events back.
func (p *process) checks() (checks []rest.Check) {
	for _, s := range p.services {
		checks = append(checks,
			rest.Check{Name: s.name + "_database", Need: rest.Required, Probe: s.ready},
			rest.Check{Name: s.name + "_writes", Need: rest.Degrades, Probe: s.db.Writable},
			rest.Check{Name: s.name + "_broker", Need: rest.Degrades, Probe: s.publishing})
		checks = append(checks, s.checks...)
	}
	return checks
}

// Bounds of a drain; with flushAtMost together below the 8 s that it may take.
const (
	farewell     = 250 * time.Millisecond // readiness fails for so long before the listener closes
	httpShutdown = 2500 * time.Millisecond
	drainAtMost  = 7 * time.Second // from the signal to the end
)

// run listens, works until ctx ends or something fails for good, and drains.
func (p *process) run(ctx context.Context, notify func(addr string)) (err error) {
	listeners := p.listeners()
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	services, https := newCrew(len(p.services)), newCrew(len(listeners))
	for _, s := range p.services {
		services.add("service "+s.name, func() error { return s.run(work) })
	}
	for _, l := range listeners {
		https.add("listen on "+l.listener.Addr().String(), l.serve)
	}
	addr := listeners[0].listener.Addr().String()
	p.greet(addr)
	if notify != nil {
		notify(addr)
	}
	select {
	case <-ctx.Done():
	case err = <-services.failed:
	case err = <-https.failed:
	}
	p.deadline = time.Now().Add(drainAtMost)
	p.log.Info("draining")
	p.drain(work, listeners)
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

// drain ends HTTP: first readiness fails, then no connection is taken any more, then the requests that run are finished.
func (p *process) drain(ctx context.Context, listeners []listener) {
	p.server.Drain()
	<-time.After(farewell)
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
		version(), p.cfg.title(), addr, addr)
	if p.data != nil {
		_, _ = fmt.Fprintf(p.out, "  data           %s\n", p.data.path)
	}
}

// shut closes the connections, stops what is embedded and lets the data folder go.
func (p *process) shut() error {
	for _, l := range p.bound {
		_ = l.Close() // where it was served, its server has closed it
	}
	if p.close != nil {
		p.close()
	}
	if p.brokers != nil {
		p.brokers.close()
	}
	if p.data != nil {
		return p.data.unlock()
	}
	return nil
}
