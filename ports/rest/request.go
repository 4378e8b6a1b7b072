package rest

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/millrace/millrace/app/fault"
)

// maxBody is the most that a body may weigh, unless the operation says otherwise.
const maxBody = 1 << 20

var (
	errTooLarge    = fault.New(fault.TooLarge, "too_large", "The body is larger than 1 MiB.")
	errBodyCut     = fault.New(fault.Malformed, "malformed", "The body could not be read to its end.")
	errAddress     = fault.New(fault.Malformed, "malformed", "The address is not well formed.")
	errContentType = refusal{
		status: http.StatusUnsupportedMediaType, code: "unsupported_media_type", detail: "The body must be application/json.",
	}
	errSlow = refusal{
		status: http.StatusRequestTimeout, code: "request_timeout", detail: "The body did not arrive in time.",
	}
)

// checkAddress refuses a path or query that is not well formed, and a parameter that is given twice: which one is meant is
// anybody's guess.
func checkAddress(ctx huma.Context, next func(huma.Context)) {
	r, w := humachi.Unwrap(ctx)
	if !utf8.ValidString(r.URL.Path) {
		WriteProblem(w, r, errAddress)
		return
	}
	if r.URL.RawQuery != "" {
		if err := checkQuery(ctx.Operation(), r.URL.RawQuery); err != nil {
			WriteProblem(w, r, err)
			return
		}
	}
	next(ctx)
}

func checkQuery(op *huma.Operation, raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return errAddress.Because(err)
	}
	var twice []fault.Field
	for name, values := range query {
		if !utf8.ValidString(name) || !utf8.ValidString(strings.Join(values, "")) {
			return errAddress
		}
		if len(values) > 1 && !repeatable(op, name) {
			twice = append(twice, fault.Field{Location: "query." + name, Message: "is given more than once"})
		}
	}
	if len(twice) > 0 {
		slices.SortFunc(twice, func(a, b fault.Field) int { return strings.Compare(a.Location, b.Location) })
		return fault.NewInvalid(twice...)
	}
	return nil
}

func repeatable(op *huma.Operation, name string) bool {
	return slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool {
		return p.In == "query" && p.Name == name && p.Explode != nil && *p.Explode
	})
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keptBody is the largest buffer that goes back to the pool.
const keptBody = 64 << 10

// readBody takes the whole body, of the right type, in time and within limit, before the operation sees it. What goes wrong
// while reading is the client's: a broken chunk and a body that ends early are malformed.
func readBody(limit int64) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(ctx)
		if r.ContentLength == 0 {
			next(ctx)
			return
		}
		if !isJSON(r.Header.Get("Content-Type")) {
			writeRefusal(w, r, errContentType)
			return
		}
		r.Header["Content-Type"] = headerJSON // huma knows the type by this spelling alone
		if r.ContentLength > limit {
			WriteProblem(w, r, errTooLarge)
			return
		}
		buf, _ := bodies.Get().(*bytes.Buffer)
		defer keep(buf)
		if _, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1)); err != nil {
			refuseBody(w, r, err)
			return
		}
		if int64(buf.Len()) > limit {
			WriteProblem(w, r, errTooLarge)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(buf.Bytes()))
		x := exchangeFrom(ctx.Context())
		x.body = buf.Bytes()
		defer func() { x.body = nil }() // the buffer is another's then
		next(ctx)
	}
}

func keep(buf *bytes.Buffer) {
	if buf.Cap() <= keptBody {
		buf.Reset()
		bodies.Put(buf)
	}
}

func refuseBody(w http.ResponseWriter, r *http.Request, err error) {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		writeRefusal(w, r, errSlow)
		return
	}
	WriteProblem(w, r, errBodyCut.Because(err))
}

var headerJSON = []string{"application/json"}

// isJSON reports whether a body of type t may be read as JSON. One without a type is taken at its word.
func isJSON(t string) bool {
	if t == "" || t == "application/json" {
		return true
	}
	media, params, err := mime.ParseMediaType(t)
	charset := params["charset"]
	return err == nil && media == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8"))
}
