// Package gateway gives services that run apart one address: it sends each request to the service that owns its path, and answers what
// concerns all of them, documents and readiness, from the answers of each.
package gateway

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/ports/rest"
)

// Upstream is a service behind the gateway.
type Upstream struct {
	Name  string
	URL   *url.URL // where its API listens: http://order:8080
	Paths []string // that it owns, each with all that lies below
}

// Config says what a gateway stands before.
type Config struct {
	Upstreams []Upstream
	Transport http.RoundTripper // http.DefaultTransport
	Logger    *slog.Logger      // none
}

// Gateway is an http.Handler. It is safe for concurrent use.
type Gateway struct {
	upstreams []upstream
	client    *http.Client
	log       *slog.Logger
	mux       *http.ServeMux
}

type upstream struct {
	Upstream

	proxy *httputil.ReverseProxy
}

// errAway is the answer where a service cannot be reached. Its request may have been carried out, where it was one that changes something.
var errAway = fault.New(fault.Unavailable, "service_away",
	"The service cannot be reached at the moment. Try again; for a POST with the same Idempotency-Key.")

// errNoRoute is the answer for paths that no service owns.
var errNoRoute = fault.New(fault.NotFound, "not_found", "There is nothing at this address.")

// askTimeout bounds each question to a service that the gateway asks by itself.
const askTimeout = 5 * time.Second

// New returns a gateway. The error says what is missing from cfg.
func New(cfg Config) (*Gateway, error) {
	if len(cfg.Upstreams) == 0 {
		return nil, errors.New("the gateway stands before no service")
	}
	transport := cfg.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	g := &Gateway{
		client: &http.Client{Transport: transport, Timeout: askTimeout}, log: cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler)),
		mux: http.NewServeMux(),
	}
	for _, u := range cfg.Upstreams {
		proxy := &httputil.ReverseProxy{
			Rewrite: forward(u.URL), Transport: transport, FlushInterval: -1, ErrorHandler: g.failed(u.Name),
			ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
		}
		g.upstreams = append(g.upstreams, upstream{u, proxy})
	}
	g.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{\"status\":\"alive\"}\n"))
	})
	g.mux.HandleFunc("GET /readyz", g.ready)
	g.mux.HandleFunc("GET /openapi.json", g.openAPI)
	g.mux.HandleFunc("/", g.route)
	return g, nil
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.mux.ServeHTTP(w, r) }

// forward sends a request to target as it is, and adds the caller's address to X-Forwarded-For.
func forward(target *url.URL) func(*httputil.ProxyRequest) {
	return func(p *httputil.ProxyRequest) {
		p.SetURL(target)
		p.Out.Host = p.In.Host
		p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
		p.SetXForwarded()
	}
}

// route sends a request to the owner of its path. What every service has, as the page of the documentation, the first one answers.
func (g *Gateway) route(w http.ResponseWriter, r *http.Request) {
	for _, u := range g.upstreams {
		if slices.ContainsFunc(u.Paths, func(path string) bool { return owns(path, r.URL.Path) }) {
			u.proxy.ServeHTTP(w, r)
			return
		}
	}
	if shared(r.URL.Path) {
		g.upstreams[0].proxy.ServeHTTP(w, r)
		return
	}
	rest.WriteProblem(w, r, errNoRoute)
}

// owns reports whether path is owned, or lies below it.
func owns(owned, path string) bool { return path == owned || strings.HasPrefix(path, owned+"/") }

// shared reports whether every service has path, with the same at it.
func shared(path string) bool { return path == "/" || owns("/docs", path) || path == "/asyncapi.json" }

// failed answers a request whose service could not be reached. Where the caller has gone, nobody is to blame.
func (g *Gateway) failed(name string) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		if !errors.Is(err, context.Canceled) {
			g.log.WarnContext(r.Context(), "service cannot be reached", "service", name, "error", err)
		}
		rest.WriteProblem(w, r, errAway)
	}
}
