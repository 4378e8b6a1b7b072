package rest

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"sync"

	"github.com/go-chi/chi/v5"
	"github.com/swaggest/swgui/v5/static"
)

//go:embed docs
var docsPage embed.FS

// docsPolicy lets the page load what this server serves and nothing else; Swagger UI sets styles by itself and has its icons
// inline.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// documents serves the OpenAPI document, that of the events, and the page that shows the first. A document is made at its first
// request, when all services have registered.
func (s *Server) documents(mux *chi.Mux) {
	serveDocument(mux, "/openapi.json", func() ([]byte, error) {
		openAnswers(s.api.OpenAPI())
		return json.Marshal(s.api.OpenAPI())
	})
	if s.cfg.Events != nil {
		serveDocument(mux, "/asyncapi.json", s.cfg.Events)
	}
	mux.Get("/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/docs", http.StatusFound) })
	mux.Get("/docs", func(w http.ResponseWriter, r *http.Request) { serveDocs(w, r, "index.html") })
	mux.Get("/docs/{file}", func(w http.ResponseWriter, r *http.Request) { serveDocs(w, r, chi.URLParam(r, "file")) })
}

// serveDocument serves what write gives, which is asked once.
func serveDocument(mux *chi.Mux, address string, write func() ([]byte, error)) {
	document := sync.OnceValues(write)
	mux.Get(address, func(w http.ResponseWriter, r *http.Request) {
		data, err := document()
		if err != nil {
			WriteProblem(w, r, fmt.Errorf("write %s: %w", address, err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(data)
	})
}

var docsTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".png":  "image/png",
}

func serveDocs(w http.ResponseWriter, r *http.Request, file string) {
	w.Header().Set("Content-Security-Policy", docsPolicy)
	w.Header().Set("Cache-Control", "no-cache")
	mediaType, known := docsTypes[path.Ext(file)]
	if !known {
		WriteProblem(w, r, errNoRoute)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	if data, err := docsPage.ReadFile("docs/" + file); err == nil {
		_, _ = w.Write(data)
		return
	}
	if data, err := static.FS.ReadFile(file); err == nil {
		_, _ = w.Write(data)
		return
	}
	packed, err := static.FS.ReadFile(file + ".gz")
	if err != nil {
		WriteProblem(w, r, errNoRoute)
		return
	}
	servePacked(w, r, packed)
}

// servePacked sends a gzip file as it is to clients that take gzip, and unpacks it for others.
func servePacked(w http.ResponseWriter, r *http.Request, packed []byte) {
	w.Header().Add("Vary", "Accept-Encoding")
	if takesGzip(r.Header["Accept-Encoding"]) {
		w.Header()["Content-Encoding"] = headerGzip
		_, _ = w.Write(packed)
		return
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		WriteProblem(w, r, fmt.Errorf("unpack %s: %w", r.URL.Path, err))
		return
	}
	_, _ = io.Copy(w, unpacked) //nolint:gosec // the file is our own
}
