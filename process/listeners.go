package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/millrace/millrace/lifecycle"
)

// listener is an address with what is served there.
type listener struct {
	listener net.Listener
	server   *http.Server
}

// serve answers requests until the server is shut down.
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

// listeners returns the bound addresses with what is served there, the API's first.
func (p *process) listeners() []listener {
	all := []listener{p.listener(p.bound[0], connectionLimit(openFiles()), p.server.Handler())}
	if p.cfg.OpsAddr != "" {
		all = append(all, p.listener(p.bound[1], opsConnections, p.server.OpsHandler()))
	}
	return all
}

// listener serves h on l, with at most limit connections.
func (p *process) listener(l net.Listener, limit int, h http.Handler) listener {
	server, bound := p.server.HTTPServer(h), newBounded(l, limit, p.log)
	server.ConnState = bound.watch
	return listener{bound, server}
}

// drainHTTP ends HTTP and returns the errors of the servers. Readiness fails first while requests are still answered, so that whoever
// sends them notices and goes elsewhere; each answer closes its connection, because one that is idle when the server closes it may lose a
// request that is on its way. Then no connection is accepted any more, and the running requests are finished.
func (p *process) drainHTTP(ctx context.Context, delay time.Duration, listeners []listener, servers *lifecycle.Group) error {
	p.server.Drain()
	<-time.After(delay)
	ctx, cancel := context.WithTimeout(ctx, requestsTimeout)
	defer cancel()
	var ending sync.WaitGroup
	for _, l := range listeners {
		ending.Go(func() {
			if err := l.server.Shutdown(ctx); err != nil {
				p.log.WarnContext(ctx, "shutdown deadline exceeded, open requests were closed", "error", errors.Join(err, l.server.Close()))
			}
		})
	}
	ending.Wait()
	return servers.Wait()
}
