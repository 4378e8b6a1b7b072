package rest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
)

// What pages of other origins may send and see, beside what every page may.
var (
	corsSent = strings.Join([]string{
		"Authorization", "Content-Type", headerIdempotencyKey, headerIfMatch, headerIfNoneMatch, HeaderCorrelation, "Last-Event-ID",
	}, ", ")
	corsSeen = strings.Join([]string{
		"ETag", "Location", "Retry-After", HeaderCorrelation, headerReplayed, "WWW-Authenticate",
	}, ", ")
)

// corsMaxAge is for how many seconds a browser need not ask again.
const corsMaxAge = "600"

// cors lets pages of the configured origins read the answers, refusals included, and answers their browsers' preflights with the methods of
// the address. Credentials are not allowed: sign-in is a header, not a cookie.
func (s *Server) cors(mux *chi.Mux) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		if len(s.cfg.CORSOrigins) == 0 {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Add("Vary", "Origin")
			origin := r.Header["Origin"]
			if len(origin) != 1 || !slices.Contains(s.cfg.CORSOrigins, origin[0]) {
				next.ServeHTTP(w, r)
				return
			}
			h["Access-Control-Allow-Origin"] = origin
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				preflight(mux, w, r)
				return
			}
			h.Set("Access-Control-Expose-Headers", corsSeen)
			next.ServeHTTP(w, r)
		})
	}
}

func preflight(mux *chi.Mux, w http.ResponseWriter, r *http.Request) {
	methods := allowed(mux, r)
	if len(methods) == 0 {
		WriteProblem(w, r, errNoRoute)
		return
	}
	h := w.Header()
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
	h.Set("Access-Control-Allow-Headers", corsSent)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	w.WriteHeader(http.StatusNoContent)
}
