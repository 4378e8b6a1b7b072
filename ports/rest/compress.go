package rest

import (
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// leastPacked is the size, in bytes, below which compressing an answer saves no packet.
const leastPacked = 1024

var packers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// packable reports whether the answer may be compressed, going by its header. It may not
//   - if it must not be stored: answers of sign-in hold tokens, and the compressed length of a secret beside what the caller chose gives
//     the secret away (BREACH). Our other answers hold none.
//   - if it has an entity tag, which stands for exactly these bytes. A weak tag would not do, since If-Match takes none. Such answers are
//     single resources, and small.
func (x *exchange) packable(status int) bool {
	h := x.Header()
	if status == http.StatusNoContent || status == http.StatusNotModified || x.signingIn {
		return false
	}
	if len(h["Etag"]) > 0 || len(h["Content-Encoding"]) > 0 || strings.Contains(h.Get("Cache-Control"), "no-store") {
		return false
	}
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	switch media {
	case "application/json", contentTypeProblem, "text/html", "text/css", "text/javascript":
		return true
	}
	return false
}

// pack begins to compress an answer whose first piece is p, if that is worth it. Ours are written in one piece.
func (x *exchange) pack(p []byte) {
	if len(p) >= leastPacked {
		h := x.Header()
		h["Content-Encoding"] = headerGzip
		delete(h, "Content-Length")
		x.packer, _ = packers.Get().(*gzip.Writer)
		x.packer.Reset(x.ResponseWriter)
	}
	x.release()
}

// release sends a header that was held back.
func (x *exchange) release() {
	if x.held {
		x.held = false
		x.ResponseWriter.WriteHeader(x.status)
	}
}

// finish sends what is left of an answer. It is not called for one that broke off.
func (x *exchange) finish() {
	x.release()
	if x.packer != nil {
		_ = x.packer.Close() // the client is gone, which is no failure
		packers.Put(x.packer)
		x.packer = nil
	}
}

// FlushError sends what was written so far, for http.ResponseController.
func (x *exchange) FlushError() error {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	x.release()
	if x.packer != nil {
		if err := x.packer.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// takesGzip reports whether the lines of an Accept-Encoding allow gzip, and do not prefer the plain answer.
func takesGzip(lines []string) bool {
	gzipped, others, plain := -1.0, -1.0, 0.0
	for coding := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		name, params, _ := strings.Cut(coding, ";")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			gzipped = quality(params)
		case "*":
			others = quality(params)
		case "identity":
			plain = quality(params)
		}
	}
	if gzipped < 0 {
		gzipped = others
	}
	return gzipped > 0 && gzipped >= plain
}

// quality reads q=0.5; what cannot be read is not wanted.
func quality(params string) float64 {
	name, value, given := strings.Cut(strings.TrimSpace(params), "=")
	if params = strings.TrimSpace(params); params == "" {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if !given || !strings.EqualFold(strings.TrimSpace(name), "q") || err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}
