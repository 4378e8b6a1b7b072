package rest

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/millrace/millrace/app/correlation"
	"github.com/millrace/millrace/app/principal"
)

// HeaderCorrelation carries the ID under which everything that a request causes is found.
const HeaderCorrelation = "X-Correlation-ID"

// exchange is one request with its answer: the response writer that remembers what was sent, who called, and what went wrong.
// It stands in the request's context, and everything that answers for the edge finds it there.
type exchange struct {
	http.ResponseWriter

	server        *Server
	started       time.Time
	correlationID string
	client        netip.Addr
	caller        principal.Principal
	known         entityTags // what the caller of a conditional GET has
	body          []byte     // as long as the operation runs
	once          *once      // nil where the request has no idempotency key
	span          trace.Span // nil where no spans are made
	status        int        // 0 until the answer has one
	bytes         int64      // of the body, before it is compressed
	encodings     []string   // that the client takes
	signingIn     bool
	reading       bool         // GET or HEAD: asking again costs nothing
	ends          time.Time    // when the answer must have been taken; zero: whenever
	answer        []byte       // the body, until it is sent
	direct        bool         // the header is sent, and pieces of the body go out as they are written
	packer        *gzip.Writer // of a direct answer; nil where it goes out as it is
	unread        bool         // the client did not take the answer
	done          func()       // called once the answer was taken, or not; nil where nobody waits for it
	cause         error        // why the answer is a failure of ours; for the log alone
	stack         []byte       // of a panic
}

type exchangeKey struct{}

func exchangeFrom(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// signedIn reports that the caller proved who they are, whether or not they may do what they ask for.
func (x *exchange) signedIn() bool { return x.caller.UserID != [16]byte{} }

// WriteHeader sets the status. The header is sent with the body.
func (x *exchange) WriteHeader(status int) {
	if x.status != 0 || status < http.StatusOK {
		x.ResponseWriter.WriteHeader(status)
		return
	}
	x.status = status
	if x.server.draining.Load() {
		x.Header()["Connection"] = headerClose
	}
	if x.direct {
		x.ResponseWriter.WriteHeader(status)
	}
}

// Write adds a piece to the body. It is sent when the operation has returned, so that nothing of the operation stays in memory while a slow
// client takes the answer. A body that is flushed, or larger than mostKept, is sent as it is written from then on.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	if !x.direct && len(x.answer)+len(p) > mostKept {
		if err := x.stream(); err != nil {
			return 0, err
		}
	}
	x.bytes += int64(len(p))
	if !x.direct {
		x.answer = append(x.answer, p...)
		return len(p), nil
	}
	if x.packer != nil {
		return x.packer.Write(p)
	}
	return x.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Values of headers that are the same on every answer, made once.
var (
	headerNoSniff    = []string{"nosniff"}
	headerNoReferrer = []string{"no-referrer"}
	headerNoFrame    = []string{"DENY"}
	headerNoContent  = []string{"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
	headerSameOrigin = []string{"same-origin"}
	headerNoStore    = []string{"no-store"}
	headerGzip       = []string{"gzip"}
	headerClose      = []string{"close"}
	headerPrivate    = []string{"private, no-cache"}
)

// secure sets the headers of every answer, which an operation may change. Strict-Transport-Security is up to the proxy that ends TLS: over
// plain HTTP it must not be sent, and only the proxy knows the names it serves.
func (x *exchange) secure() {
	h := x.Header()
	h["X-Content-Type-Options"] = headerNoSniff
	h["Referrer-Policy"] = headerNoReferrer
	h["X-Frame-Options"] = headerNoFrame
	h["Content-Security-Policy"] = headerNoContent
	h["Cross-Origin-Resource-Policy"] = headerSameOrigin
	h["Cache-Control"] = headerNoStore
}

// exchanges makes an exchange of each request and concludes it.
func (s *Server) exchanges(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{
			ResponseWriter: w, server: s, started: s.cfg.Now(), correlationID: s.correlationID(r),
			client:    clientOf(r, s.cfg.TrustedProxies),
			encodings: r.Header["Accept-Encoding"], signingIn: strings.HasPrefix(r.URL.Path, "/api/auth/"),
			reading: r.Method == http.MethodGet || r.Method == http.MethodHead, ends: endOf(r),
		}
		x.secure()
		w.Header()[http.CanonicalHeaderKey(HeaderCorrelation)] = []string{x.correlationID}
		r = r.WithContext(s.begin(x, r))
		s.metrics.inFlight.Inc()
		defer func() { s.conclude(x, r, recover()) }()
		next.ServeHTTP(x, r)
		x.finish(r)
	})
}

// correlationID takes the caller's ID where it is fit to travel, and makes one where it is not.
func (s *Server) correlationID(r *http.Request) string {
	if id := r.Header.Get(HeaderCorrelation); correlation.Valid(id) {
		return id
	}
	return s.cfg.NewID().String()
}

// begin gives the context in which the request runs.
func (s *Server) begin(x *exchange, r *http.Request) context.Context {
	ctx := correlation.With(r.Context(), correlation.IDs{Correlation: x.correlationID})
	ctx = context.WithValue(ctx, exchangeKey{}, x)
	if len(r.Header["Traceparent"]) == 1 {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	if s.tracer != nil {
		ctx, x.span = s.tracer.Start(ctx, knownMethod(r.Method), trace.WithSpanKind(trace.SpanKindServer))
	}
	return ctx
}

// Caller gives who is signed in, in a SignedIn operation; the zero principal elsewhere.
func Caller(ctx context.Context) principal.Principal {
	if x := exchangeFrom(ctx); x != nil {
		return x.caller
	}
	return principal.Principal{}
}
