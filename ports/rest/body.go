package rest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
)

// maxBody is the most that a body may weigh, unless the operation says otherwise.
const maxBody = 1 << 20

// maxHeld is the most that is kept in memory of a JSON body, white space between its values left aside. The largest body that passes the
// rules of an operation weighs less. What is longer is read to its end and refused by its beginning, so that many large bodies at once
// need no more memory than many small ones.
const maxHeld = 64 << 10

// keptBody is the largest buffer that goes back to the pool.
const keptBody = 64 << 10

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func keep(buf *bytes.Buffer) {
	if buf.Cap() <= keptBody {
		buf.Reset()
		bodies.Put(buf)
	}
}

// bodyStep reads and checks the body of an operation before the operation sees it.
type bodyStep struct {
	limit int64
	rules *rules // nil where the body is not JSON; set once the operation is registered
}

// read reads the whole body, of the right type, in time and within the limit. A failure while reading is the client's fault: a broken chunk
// and a body that ends early are malformed.
func (s *bodyStep) read(ctx huma.Context, next func(huma.Context)) {
	r, w := humachi.Unwrap(ctx)
	if r.ContentLength == 0 {
		next(ctx)
		return
	}
	if !plainBody(r.Header["Content-Encoding"]) {
		w.Header().Set("Accept-Encoding", "identity")
		writeRefusal(w, r, errContentEncoding)
		return
	}
	if !typed(r.Header) {
		writeRefusal(w, r, errContentType)
		return
	}
	r.Header["Content-Type"] = headerJSON // huma knows the type by this spelling alone
	if r.ContentLength > s.limit {
		WriteProblem(w, r, errTooLarge)
		return
	}
	buf, _ := bodies.Get().(*bytes.Buffer)
	defer keep(buf)
	s.take(ctx, next, buf)
}

// take fills buf with the body and goes on with what stands there, if it keeps the operation's rules.
func (s *bodyStep) take(ctx huma.Context, next func(huma.Context), buf *bytes.Buffer) {
	r, w := humachi.Unwrap(ctx)
	held, err := s.hold(buf, r.Body)
	switch {
	case err != nil:
		refuseBody(w, r, err)
		return
	case held.size > s.limit:
		WriteProblem(w, r, errTooLarge)
		return
	}
	body := held.data
	if s.rules != nil && held.size > 0 {
		var no *refusal
		if body, no = s.rules.check(held); no != nil {
			writeRefusal(w, r, *no)
			return
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	x := exchangeFrom(ctx.Context())
	x.body = held.data
	defer func() { x.body = nil }() // the buffer is another's then
	next(ctx)
}

// heldBody is what is kept of a body.
type heldBody struct {
	data     []byte
	size     int64 // of the body as it came
	squeezed bool  // runs of white space between values were made one space
	cut      bool  // data is only the beginning
}

// hold reads body to its end, or one byte behind the limit, and keeps at most maxHeld bytes of JSON in buf.
func (s *bodyStep) hold(buf *bytes.Buffer, body io.Reader) (heldBody, error) {
	most := int64(maxHeld)
	if s.rules == nil {
		most = s.limit
	}
	size, err := buf.ReadFrom(io.LimitReader(body, most+1))
	if err != nil || size <= most || s.rules == nil {
		return heldBody{data: buf.Bytes(), size: size}, err
	}
	z := squeezer{out: buf.Bytes()[:0]}
	z.add(buf.Bytes())
	more, err := io.Copy(&z, io.LimitReader(body, s.limit+1-size))
	return heldBody{data: z.out, size: size + more, squeezed: true, cut: z.cut}, err
}

// squeezer keeps up to maxHeld bytes of JSON, with one space for each run of white space outside its strings. A space remains, because
// what it separates must not become one.
type squeezer struct {
	out                      []byte
	quoted, escaped, between bool // in a string; behind a backslash; behind white space
	cut                      bool
}

// Write implements io.Writer.
func (z *squeezer) Write(p []byte) (int, error) {
	z.add(p)
	return len(p), nil
}

// add may be given the very bytes behind z.out: it never writes further than it has read.
func (z *squeezer) add(p []byte) {
	for _, c := range p {
		if z.cut {
			return
		}
		space := !z.quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r')
		again := space && z.between
		z.between = space
		switch {
		case again:
			continue
		case space:
			c = ' '
		case z.escaped:
			z.escaped = false
		case c == '"':
			z.quoted = !z.quoted
		case c == '\\':
			z.escaped = z.quoted
		}
		if z.cut = len(z.out) == maxHeld; !z.cut {
			z.out = append(z.out, c)
		}
	}
}

// refuseBody answers a body that could not be read.
func refuseBody(w http.ResponseWriter, r *http.Request, err error) {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		writeRefusal(w, r, errSlow)
		return
	}
	WriteProblem(w, r, errBodyCut.Because(err))
}
