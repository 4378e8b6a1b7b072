package rest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
)

// conclude ends an exchange: it answers a panic, counts, and writes the one line of the log. A panic after the header was sent
// breaks the connection, so that nobody takes half an answer for a whole one.
func (s *Server) conclude(x *exchange, r *http.Request, panicked any) {
	if x.done != nil {
		defer x.done()
	}
	if panicked != nil && !x.direct { // nothing was sent yet
		x.answer, x.bytes, x.status = nil, 0, 0
	}
	answered := x.status != 0
	if panicked != nil && panicked != http.ErrAbortHandler { //nolint:errorlint // net/http compares this value itself
		x.cause, x.stack = fmt.Errorf("panic: %v", panicked), debug.Stack()
		if !answered {
			writeRefusal(x, r, errInternal)
			x.finish(r)
		}
	}
	if x.status == 0 {
		x.status = http.StatusOK
	}
	took := s.cfg.Now().Sub(x.started)
	route := r.Pattern
	if route == "" {
		route = "unmatched"
	}
	s.metrics.observe(r.Method, route, x.status, took)
	x.endSpan(knownMethod(r.Method), route)
	s.log(x, r, route, took)
	if panicked != nil && (answered || panicked == http.ErrAbortHandler) { //nolint:errorlint // as above
		panic(http.ErrAbortHandler)
	}
}

func (x *exchange) endSpan(method, route string) {
	if x.span == nil {
		return
	}
	x.span.SetName(method + " " + route)
	x.span.SetAttributes(
		attribute.String("http.request.method", method),
		attribute.String("http.route", route),
		attribute.Int("http.response.status_code", x.status),
	)
	if x.status >= http.StatusInternalServerError {
		x.span.SetStatus(codes.Error, http.StatusText(x.status))
	}
	x.span.End()
}

// log writes the request's line, with the cause where the failure is ours. The query is left out: it may name a person.
func (s *Server) log(x *exchange, r *http.Request, route string, took time.Duration) {
	level, message := levelOf(route, x), "request"
	if x.cause != nil {
		message = "request failed"
	}
	// The request's context may have ended already; the line is written all the same.
	ctx := context.WithoutCancel(r.Context())
	if !s.cfg.Logger.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 13)
	attrs = append(attrs,
		slog.String("method", clip(r.Method, maxLoggedMethod)),
		slog.String("route", route),
		slog.String("path", clip(r.URL.Path, maxLoggedPath)),
		slog.Int("status", x.status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.Int64("bytes", x.bytes),
		slog.String("correlation_id", x.correlationID),
	)
	if x.signedIn() {
		attrs = append(attrs, slog.String("user_id", uuid.UUID(x.caller.UserID).String()))
	}
	if x.unread {
		attrs = append(attrs, slog.Bool("unread", true))
	}
	if x.cause != nil {
		attrs = append(attrs, slog.String("error", x.cause.Error()))
	}
	if x.stack != nil {
		attrs = append(attrs, slog.String("stack", string(x.stack)))
	}
	s.cfg.Logger.LogAttrs(ctx, level, message, attrs...) //nolint:sloglint // one of two constants
}

// Bounds of what a stranger chooses of a line, longer than every method and path of ours.
const (
	maxLoggedMethod = 32
	maxLoggedPath   = 256
)

// clip returns at most so many bytes of text.
func clip(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

func levelOf(route string, x *exchange) slog.Level {
	switch {
	case x.cause != nil && x.status == http.StatusServiceUnavailable:
		return slog.LevelWarn
	case x.cause != nil:
		return slog.LevelError
	case route == "/healthz", route == "/readyz", route == "/metrics":
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
