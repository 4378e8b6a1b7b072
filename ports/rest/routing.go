package rest

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/millrace/millrace/app/fault"
)

var (
	errNoRoute  = fault.New(fault.NotFound, "not_found", "There is nothing at this address.")
	errNoMethod = refusal{
		status: http.StatusMethodNotAllowed, code: "method_not_allowed",
		detail: "This address does not take this method; the Allow header names those that it takes.",
	}
)

// newMux makes a router on which every request is an exchange, HEAD is answered where GET is, and what matches nothing is
// answered as a problem.
func (s *Server) newMux() *chi.Mux {
	mux := chi.NewMux()
	mux.Use(s.exchanges, s.cors(mux), headAsGet)
	mux.NotFound(func(w http.ResponseWriter, r *http.Request) {
		WriteProblem(w, r, errNoRoute)
	})
	mux.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", strings.Join(allowed(mux, r), ", "))
		writeRefusal(w, r, errNoMethod)
	})
	return mux
}

// headAsGet routes HEAD to the GET operation; net/http drops the body of the answer.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			chi.RouteContext(r.Context()).RouteMethod = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// allowed gives the methods that r's address takes. chi forgets them once a custom handler answers 405.
func allowed(mux *chi.Mux, r *http.Request) []string {
	path := r.URL.RawPath
	if path == "" {
		path = r.URL.Path
	}
	var methods []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if !mux.Match(chi.NewRouteContext(), m, path) {
			continue
		}
		methods = append(methods, m)
		if m == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	return methods
}
