package rest

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/millrace/millrace/app/fault"
)

const (
	// mostKept is the size up to which an answer is kept until its operation has returned. Pages are smaller.
	mostKept = 4 << 20
	// mostUnread is how much all answers together may weigh that clients have not taken yet.
	mostUnread = 128 << 20
	// alwaysSent is the size up to which an answer is sent however much waits already.
	alwaysSent = 16 << 10
	// A client must take each piece of a large answer within stallTimeout, and all of it within the server's WriteTimeout.
	pieceSize    = 64 << 10
	stallTimeout = 10 * time.Second
)

var errUnread = fault.New(fault.Unavailable, "answers_unread",
	"Too many answers wait for clients that do not read them. Nothing was changed; try again shortly.")

// unreadBytes counts the bytes of answers that clients have not taken yet.
type unreadBytes struct{ n atomic.Int64 }

// add reports whether size bytes more may wait, and counts them if so.
func (u *unreadBytes) add(size int64) bool {
	if u.n.Add(size) <= mostUnread {
		return true
	}
	u.remove(size)
	return false
}

func (u *unreadBytes) remove(size int64) { u.n.Add(-size) }

// endOf returns when the answer to r, which has just arrived, must have been taken.
func endOf(r *http.Request) time.Time {
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && server.WriteTimeout > 0 {
		return time.Now().Add(server.WriteTimeout)
	}
	return time.Time{}
}

// finish sends what is left of an answer. It is not called for one that broke off.
func (x *exchange) finish(r *http.Request) {
	if !x.direct {
		x.deliver(r)
		return
	}
	if x.packer != nil {
		x.unread = x.packer.Close() != nil
		packers.Put(x.packer)
		x.packer = nil
	}
}

// deliver sends an answer that was kept. What weighs more than clients may leave unread is refused, if asking again costs nothing.
func (x *exchange) deliver(r *http.Request) {
	if x.status == 0 {
		return
	}
	x.direct = true
	body := x.encoded()
	if size := int64(len(body)); size > alwaysSent && x.reading {
		if !x.server.unread.add(size) {
			x.answer = nil
			x.refuseUnread(r)
			return
		}
		defer x.server.unread.remove(size)
	}
	x.answer = nil // body is all that a slow client holds
	if x.status != http.StatusNoContent && x.status != http.StatusNotModified {
		x.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	x.ResponseWriter.WriteHeader(x.status)
	x.unread = !x.send(body)
}

// encoded returns the body as the client takes it, with the header that says so.
func (x *exchange) encoded() []byte {
	if !x.packable(x.status) {
		return x.answer
	}
	h := x.Header()
	h["Vary"] = append(h["Vary"], "Accept-Encoding")
	if len(x.answer) < leastPacked || !takesGzip(x.encodings) {
		return x.answer
	}
	h["Content-Encoding"] = headerGzip
	return packed(x.answer)
}

// refuseUnread answers 503 in place of what was to be sent.
func (x *exchange) refuseUnread(r *http.Request) {
	delete(x.Header(), "Content-Encoding")
	x.status, x.bytes = 0, 0
	WriteProblem(x, r, errUnread)
}

// send reports whether the client took body.
func (x *exchange) send(body []byte) bool {
	deadlines := http.NewResponseController(x.ResponseWriter)
	slow := len(body) > pieceSize
	for len(body) > 0 {
		piece := body[:min(len(body), pieceSize)]
		body = body[len(piece):]
		if slow {
			_ = deadlines.SetWriteDeadline(x.soon()) // a recorder has none
		}
		if _, err := x.ResponseWriter.Write(piece); err != nil {
			return false
		}
	}
	if slow {
		_ = deadlines.SetWriteDeadline(x.ends)
	}
	return true
}

// soon returns when the next piece must have been taken.
func (x *exchange) soon() time.Time {
	end := time.Now().Add(stallTimeout)
	if !x.ends.IsZero() && x.ends.Before(end) {
		return x.ends
	}
	return end
}

// stream sends what was written so far, and from now on everything as it is written.
func (x *exchange) stream() error {
	x.direct = true
	if x.packable(x.status) {
		h := x.Header()
		h["Vary"] = append(h["Vary"], "Accept-Encoding")
		if len(x.answer) >= leastPacked && takesGzip(x.encodings) {
			h["Content-Encoding"] = headerGzip
			delete(h, "Content-Length")
			x.packer, _ = packers.Get().(*gzip.Writer)
			x.packer.Reset(x.ResponseWriter)
		}
	}
	x.ResponseWriter.WriteHeader(x.status)
	written := x.answer
	x.answer = nil
	var err error
	if x.packer != nil {
		_, err = x.packer.Write(written)
	} else if len(written) > 0 {
		_, err = x.ResponseWriter.Write(written)
	}
	return err
}

// FlushError sends what was written so far, for http.ResponseController.
func (x *exchange) FlushError() error {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	if !x.direct {
		if err := x.stream(); err != nil {
			return err
		}
	}
	if x.packer != nil {
		if err := x.packer.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// unkept sends what a handler writes to w at once, uncompressed. It is for what lies in memory anyway, for all clients alike.
func unkept(w http.ResponseWriter) {
	if x, ok := w.(*exchange); ok {
		x.direct = true
	}
}
