package rest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/idempotency"
)

const (
	headerIdempotencyKey = "Idempotency-Key"
	headerReplayed       = "Idempotency-Replayed"
)

// maxIdempotencyKey is the longest key, in characters.
const maxIdempotencyKey = 255

// Idempotent is embedded in the input of an operation that creates something: the same request with the same key does so once.
type Idempotent struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" pattern:"^[!-~]+$" doc:"A request again gives its first answer again"`
}

// Created is the output of an operation that creates something.
type Created[T any] struct {
	Versioned

	Location string `header:"Location" doc:"Where it is"`
	Replayed string `header:"Idempotency-Replayed" doc:"true where this is the answer to an earlier request with the same key"`
	Body     T
}

var errIdempotencyKey = fault.NewInvalid(fault.Field{
	Location: "header." + headerIdempotencyKey, Message: "must be given once, with 1 to 255 visible ASCII characters",
})

// once is a request with an idempotency key.
type once struct {
	key    idempotency.Key
	status int // that it is answered with
}

// Once makes a command take effect once for the request's Idempotency-Key, if it has one. created makes the answer from what the command
// made.
func Once[M, T any](ctx context.Context, created func(made M) *Created[T]) idempotency.Once[M] {
	x := exchangeFrom(ctx)
	if x == nil || x.once == nil {
		return idempotency.Once[M]{}
	}
	return idempotency.Once[M]{Key: x.once.key, Answer: func(made M) (idempotency.Answer, error) {
		var body bytes.Buffer
		out := created(made)
		err := writeJSON(&body, out.Body) // as huma will
		return idempotency.Answer{Status: x.once.status, Location: out.Location, ETag: out.ETag, Body: body.Bytes()}, err
	}}
}

// Redact takes something out of the bodies that were answered under a location, each of them a T. A request that comes again is still
// answered, without it.
func Redact[T any](location string, redact func(answered *T)) idempotency.Redaction {
	return idempotency.Redaction{Location: location, Body: func(kept []byte) ([]byte, error) {
		var (
			answered T
			body     bytes.Buffer
		)
		if err := json.Unmarshal(kept, &answered); err != nil {
			return nil, fmt.Errorf("read a kept answer: %w", err)
		}
		redact(&answered)
		err := writeJSON(&body, answered)
		return body.Bytes(), err
	}}
}

// idempotent is the step behind the body of an operation whose input is Idempotent.
func (g guards) idempotent(ctx huma.Context, next func(huma.Context)) {
	r, w := humachi.Unwrap(ctx)
	lines := r.Header[headerIdempotencyKey]
	if len(lines) == 0 {
		next(ctx)
		return
	}
	if len(lines) > 1 || !validIdempotencyKey(lines[0]) {
		WriteProblem(w, r, errIdempotencyKey)
		return
	}
	op, x := ctx.Operation(), exchangeFrom(ctx.Context())
	x.once = &once{status: op.DefaultStatus, key: idempotency.Key{
		ID:          g.hash("key", writerOf(x).name(), op.Method, op.Path, lines[0]),
		Fingerprint: g.hash("body", string(x.body)),
	}}
	next(ctx)
}

func validIdempotencyKey(key string) bool {
	invisible := func(c rune) bool { return c <= ' ' || c > '~' }
	return key != "" && len(key) <= maxIdempotencyKey && !strings.ContainsFunc(key, invisible)
}

// hash reveals nothing of its parts without the secret: a body may hold a password.
func (g guards) hash(parts ...string) (sum [32]byte) {
	m := hmac.New(sha256.New, g.secret)
	for _, p := range parts {
		_, _ = fmt.Fprintf(m, "%d:%s", len(p), p)
	}
	return [32]byte(m.Sum(nil))
}

// replayed answers what was answered before, to the byte. It is an error only to huma, which would make the answer anew otherwise.
type replayed struct{ idempotency.Answer }

// Error implements error.
func (replayed) Error() string { return "replayed" }

// GetStatus implements huma.StatusError.
func (p replayed) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p replayed) GetHeaders() http.Header {
	h := http.Header{headerReplayed: {"true"}}
	if p.Location != "" {
		h.Set("Location", p.Location)
	}
	if p.ETag != "" {
		h.Set("ETag", p.ETag)
	}
	return h
}
