package rest

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// leastPacked is the size, in bytes, below which compressing an answer saves no packet.
const leastPacked = 1024

// packers hold some 800 KiB each. None waits for a client: an answer is compressed whole before it is sent.
var packers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// packed returns body compressed.
func packed(body []byte) []byte {
	var buf bytes.Buffer
	packer, _ := packers.Get().(*gzip.Writer)
	defer packers.Put(packer)
	packer.Reset(&buf)
	_, _ = packer.Write(body) // a buffer takes everything
	_ = packer.Close()
	return buf.Bytes()
}

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
