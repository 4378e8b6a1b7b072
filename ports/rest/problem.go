package rest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/app/fault"
)

// Problem is the body of every failed answer: RFC 9457, with the code that clients may rely on.
type Problem struct {
	Type          string      `json:"type" doc:"urn:millrace:problem: and the code" example:"urn:millrace:problem:not_found"`
	Title         string      `json:"title" doc:"The status in words"`
	Status        int         `json:"status" doc:"The HTTP status"`
	Detail        string      `json:"detail" doc:"What happened, for people"`
	Code          string      `json:"code" doc:"What happened, for programs" example:"not_found"`
	CorrelationID string      `json:"correlation_id" doc:"Under which the request is found in logs and events"`
	Errors        []Violation `json:"errors,omitempty" nullable:"false" doc:"Which values broke a rule; at most 100 of them"`

	headers http.Header
}

// Violation is one value that broke a rule. The value itself is never repeated.
type Violation struct {
	Location string `json:"location" doc:"Where it is" example:"body.items[0].quantity"`
	Message  string `json:"message" doc:"The rule"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType implements huma.ContentTypeFilter: a problem is problem+json whatever was asked for.
func (*Problem) ContentType(string) string { return contentTypeProblem }

const contentTypeProblem = "application/problem+json"

// refusal is a failure that the edge itself finds and that no fault kind stands for.
type refusal struct {
	status int
	code   string
	detail string
	fields []fault.Field
	wait   time.Duration // until it makes sense to try again; 0 where that cannot be said
}

var (
	errInternal = refusal{
		status: http.StatusInternalServerError, code: "internal",
		detail: "Something went wrong here. The correlation ID finds it in the log.",
	}
	errGone = refusal{status: statusClientGone, code: "cancelled", detail: "The request was cancelled."}
)

// statusClientGone goes into log and metrics for a caller who left before the answer; nobody receives it.
const statusClientGone = 499

// unknownOutcome replaces a fault's own words, because the client must decide by it whether to ask again.
const unknownOutcome = "The database's answer was lost: it is not known whether the change was stored. " +
	"Look before trying again, or repeat with the same Idempotency-Key."

// statusOf is the HTTP status of each kind of failure.
func statusOf(kind fault.Kind) int {
	switch kind {
	case fault.Malformed:
		return http.StatusBadRequest
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Precondition:
		return http.StatusPreconditionFailed
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Exhausted:
		return http.StatusTooManyRequests
	case fault.Unavailable, fault.Unknown, fault.TooSlow:
		return http.StatusServiceUnavailable
	case fault.Internal, fault.Early:
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}

// WriteProblem answers err on a handler that is no operation.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	problemOf(r.Context(), err).write(w)
}

func writeRefusal(w http.ResponseWriter, r *http.Request, no refusal) {
	no.problem(r.Context()).write(w)
}

func (p *Problem) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), p.headers)
	w.Header().Set("Content-Type", contentTypeProblem)
	w.WriteHeader(p.Status)
	_ = writeJSON(w, p) // a problem can always be written as JSON
}

// problemOf translates a failure, once. What only the log may see stays with the exchange.
func problemOf(ctx context.Context, err error) *Problem {
	if left(ctx, err) {
		return errGone.problem(ctx)
	}
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || statusOf(e.Kind) == http.StatusInternalServerError {
		blame(ctx, err)
		return errInternal.problem(ctx)
	}
	no := refusal{status: statusOf(e.Kind), code: e.Code, detail: e.Message, fields: e.Fields, wait: e.RetryAfter}
	if no.status == http.StatusServiceUnavailable {
		blame(ctx, err)
	}
	if e.Kind == fault.Unknown {
		no.detail = unknownOutcome
	}
	return no.problem(ctx)
}

// left reports whether err comes of the caller having gone away: no failure of ours, and nobody to answer.
func left(ctx context.Context, err error) bool {
	if ctx.Err() == nil {
		return false
	}
	kind := fault.KindOf(err)
	return kind == fault.Internal || kind == fault.Unavailable || kind == fault.Unknown || fault.Cancelled(err)
}

// blame keeps the cause for the request's log line.
func blame(ctx context.Context, cause error) {
	if x := exchangeFrom(ctx); x != nil && x.cause == nil {
		x.cause = cause
	}
}

func (no refusal) problem(ctx context.Context) *Problem {
	p := &Problem{
		Type:   "urn:millrace:problem:" + no.code,
		Title:  http.StatusText(no.status),
		Status: no.status,
		Detail: no.detail,
		Code:   no.code,
	}
	if no.status == statusClientGone {
		p.Title = "Client Closed Request"
	}
	if x := exchangeFrom(ctx); x != nil {
		p.CorrelationID = x.correlationID
	}
	for _, f := range no.fields[:min(len(no.fields), maxViolations)] {
		p.Errors = append(p.Errors, Violation{Location: f.Location, Message: f.Message})
	}
	p.headers = no.headers()
	return p
}

func (no refusal) headers() http.Header {
	switch no.status {
	case http.StatusUnauthorized:
		challenge := `Bearer realm="millrace"`
		if no.code == errBadToken.Code {
			challenge += `, error="invalid_token"`
		}
		return http.Header{"Www-Authenticate": {challenge}}
	case http.StatusServiceUnavailable:
		return http.Header{"Retry-After": {seconds(cmp.Or(no.wait, usualWait))}}
	case http.StatusTooManyRequests:
		return http.Header{"Retry-After": {seconds(no.wait)}}
	case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout:
		return http.Header{"Connection": {"close"}} // what is left of the body is not read
	}
	return nil
}

// usualWait is the Retry-After while something of ours is away, nobody knows for how long.
const usualWait = 2 * time.Second

// seconds writes a time as Retry-After wants it: whole seconds, rounded up, at least one.
func seconds(wait time.Duration) string {
	return strconv.FormatInt(max(1, int64((wait+time.Second-1)/time.Second)), 10)
}

// problemOfHuma translates what huma finds wrong with a request. Some of huma's sentences repeat values; ours do not.
func problemOfHuma(ctx huma.Context, status int, _ string, errs ...error) huma.StatusError {
	background := context.Background()
	if ctx != nil {
		background = ctx.Context()
	}
	no := refusal{status: status, code: "refused", detail: http.StatusText(status)}
	switch {
	case status >= http.StatusInternalServerError:
		blame(background, errors.Join(errs...))
		return errInternal.problem(background)
	case status == http.StatusBadRequest:
		no.code, no.detail = "malformed", "The request cannot be read."
	case status == http.StatusUnprocessableEntity:
		no.code, no.detail = "invalid", "The request has invalid values."
	case status == http.StatusUnsupportedMediaType:
		return errContentType.problem(background)
	}
	for _, err := range errs[:min(len(errs), maxViolations)] {
		no.fields = append(no.fields, fieldOf(err))
	}
	if len(no.fields) == 0 && status == http.StatusBadRequest {
		no.fields = []fault.Field{{Location: "body", Message: "a body is required"}}
	}
	return no.problem(background)
}

const (
	maxLocation = 200
	ruleWhole   = "must be a whole number of at most %d bits"
)

// fieldOf takes place and rule of a violation and leaves the value behind.
func fieldOf(err error) fault.Field {
	d, ok := err.(huma.ErrorDetailer) //nolint:errorlint // huma hands these over unwrapped
	if !ok {
		return fault.Field{Location: "request", Message: "is not valid"}
	}
	detail := d.ErrorDetail()
	f := fault.Field{Location: detail.Location, Message: detail.Message}
	if place, ok := strings.CutPrefix(f.Message, misfitAt); ok {
		f.Location, f.Message = place, "is of another type than expected"
	}
	if strings.HasPrefix(f.Message, "invalid value: ") {
		f.Message = "is not valid" // what follows is a parser's error, which quotes its input
	}
	if strings.HasPrefix(f.Message, "invalid date/time") {
		f.Message = "must be a time as in RFC 3339: 2026-01-31T12:00:00Z" // huma says it in Go's own notation
	}
	f.Location = cut(f.Location)
	return f
}

// cut shortens a place that a stranger named.
func cut(location string) string { return clip(location, maxLocation) }
