package rest

import (
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
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

// serveDocument serves what write returns, which is called once. All clients are sent the same bytes.
func serveDocument(mux *chi.Mux, address string, write func() ([]byte, error)) {
	type encodings struct{ plain, packed []byte }
	document := sync.OnceValues(func() (encodings, error) {
		plain, err := write()
		return encodings{plain, packed(plain)}, err
	})
	mux.Get(address, func(w http.ResponseWriter, r *http.Request) {
		both, err := document()
		if err != nil {
			WriteProblem(w, r, fmt.Errorf("write %s: %w", address, err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Add("Vary", "Accept-Encoding")
		body := both.plain
		if takesGzip(r.Header["Accept-Encoding"]) {
			w.Header()["Content-Encoding"], body = headerGzip, both.packed
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		unkept(w)
		_, _ = w.Write(body)
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
	if page, err := docsPage.Open("docs/" + file); err == nil {
		unkept(w)
		_, _ = io.Copy(w, page)
		return
	}
	if plain, err := static.FS.Open(file); err == nil {
		unkept(w)
		_, _ = io.Copy(w, plain)
		return
	}
	compressed, err := static.FS.Open(file + ".gz")
	if err != nil {
		WriteProblem(w, r, errNoRoute)
		return
	}
	serveCompressed(w, r, compressed)
}

// serveCompressed sends a gzip file as it is to clients that take gzip, and decompresses it for others.
func serveCompressed(w http.ResponseWriter, r *http.Request, file io.Reader) {
	w.Header().Add("Vary", "Accept-Encoding")
	if takesGzip(r.Header["Accept-Encoding"]) {
		w.Header()["Content-Encoding"] = headerGzip
		unkept(w)
		_, _ = io.Copy(w, file)
		return
	}
	plain, err := gzip.NewReader(file)
	if err != nil {
		WriteProblem(w, r, fmt.Errorf("decompress %s: %w", r.URL.Path, err))
		return
	}
	unkept(w)
	_, _ = io.Copy(w, plain) //nolint:gosec // the file is our own
}
