// Package rest is the HTTP edge that all services share: routing and the OpenAPI document, problem+json, sign-in, limits,
// strict JSON, correlation, health and metrics. It knows no service; each service registers its operations on API.
package rest

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/millrace/millrace/app/principal"
)

// Verifier tells who sent an access token. A token that is not good is a fault of kind Unauthenticated; keys that cannot be
// had are Unavailable.
type Verifier interface {
	Verify(ctx context.Context, token string) (principal.Principal, error)
}

// Config is what a Server is made of. Only Verifier must be given, and only where an operation is SignedIn.
type Config struct {
	Title    string // of the OpenAPI document
	Version  string // of the API, not of the build
	Logger   *slog.Logger
	Verifier Verifier
	// Registry takes the HTTP metrics and is what /metrics shows.
	Registry *prometheus.Registry
	// Checks decide about readiness.
	Checks []Check
	// Tracer makes a span of each request; nil makes none. A caller's traceparent is passed on either way.
	Tracer trace.TracerProvider
	// OpsApart keeps /metrics off the main handler: it is then only on OpsHandler.
	OpsApart bool
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// CORSOrigins are those whose pages may read the answers, as browsers write them: https://shop.example.
	CORSOrigins []string
	// Events gives the AsyncAPI document of what is published; nil gives none.
	Events func() ([]byte, error)
	Now    func() time.Time
	NewID  func() uuid.UUID
}

// Server is one HTTP API with everything around it. Operations are registered on API before Handler serves.
type Server struct {
	cfg      Config
	api      huma.API
	main     *chi.Mux
	ops      *chi.Mux
	metrics  *metrics
	tracer   trace.Tracer
	ready    *readiness
	unread   unreadBytes
	draining atomic.Bool
}

// New makes a server without any operation of a service.
func New(cfg Config) *Server {
	adjustHuma()
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, metrics: newMetrics(cfg.Registry), ready: newReadiness(cfg.Checks, cfg.Logger)}
	if cfg.Tracer != nil {
		s.tracer = cfg.Tracer.Tracer("github.com/millrace/millrace/ports/rest")
	}
	s.main, s.ops = s.newMux(), s.newMux()
	s.api = humachi.New(s.main, newAPIConfig(cfg.Title, cfg.Version))
	s.health(s.main)
	s.health(s.ops)
	s.ops.Method(http.MethodGet, "/metrics", s.metricsHandler())
	if !cfg.OpsApart {
		s.main.Method(http.MethodGet, "/metrics", s.metricsHandler())
	}
	s.documents(s.main)
	s.describeOps()
	return s
}

func (c Config) withDefaults() Config {
	if c.Title == "" {
		c.Title = "Millrace"
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewID == nil {
		c.NewID = func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	}
	return c
}

// API is where operations are registered.
func (s *Server) API() huma.API { return s.api }

// Handler serves the whole API.
func (s *Server) Handler() http.Handler { return s.main }

// OpsHandler serves health, readiness and metrics alone, for an address that only operators reach.
func (s *Server) OpsHandler() http.Handler { return s.ops }

// Drain makes readiness fail from now on, so that no new requests are sent here. Those that come are answered as before, and each answer
// ends its connection.
func (s *Server) Drain() { s.draining.Store(true) }

// Limits on how long a client may take, so that slow ones cannot hold connections for ever. A streaming operation lifts the
// write limit for itself with http.ResponseController.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	// writeBuffer is what the kernel keeps of each connection's answers. Left to itself it keeps megabytes for a client that reads nothing,
	// in memory that a container pays for.
	writeBuffer = 256 << 10
)

// HTTPServer gives an http.Server with the limits set, for one of this server's handlers. The caller listens and shuts down. What net/http
// refuses before there is a request, malformed (400) or with too long a header (431), it answers in plain text: there is no safe way to
// change that.
func (s *Server) HTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// OPTIONS * is a request like any other, not one that net/http answers without a word in the log.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetWriteBuffer(writeBuffer) // one that is closed already needs none
			}
			return ctx
		},
	}
}

// maxScrapes is how many scrapes are answered at once: several scrapers, no crowd.
const maxScrapes = 4

func (s *Server) metricsHandler() http.Handler {
	return promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})
}

func (s *Server) health(mux *chi.Mux) {
	mux.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{\"status\":\"alive\"}\n"))
	})
	mux.Get("/readyz", func(w http.ResponseWriter, r *http.Request) {
		s.ready.serve(w, r, s.draining.Load())
	})
}
