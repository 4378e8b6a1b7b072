package rest

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/version"
)

const (
	headerIfMatch     = "If-Match"
	headerIfNoneMatch = "If-None-Match"
)

var errIfMatch = fault.NewInvalid(fault.Field{Location: "header." + headerIfMatch, Message: errTags.Error()})

// Versioned is embedded in the output of an operation that answers a single resource: it carries the entity tag of the resource's
// version. A GET then answers 304 by itself to one who has that version.
type Versioned struct {
	ETag string `header:"ETag" doc:"The version of the resource; give it as If-Match to change this version and no other" example:"\"3\""`
}

// Version makes the tag of a version.
func Version(n int64) Versioned { return Versioned{ETag: tagOf(n)} }

func (v Versioned) entityTag() string { return v.ETag }

// IfMatch is embedded in the input of an operation that changes a single resource.
type IfMatch struct {
	IfMatch string `header:"If-Match" doc:"Entity tags of the versions that are meant; 412 where there is another" example:"\"3\""`
}

// Expected gives the versions that the caller means. The error is of kind Invalid where the header cannot be read.
func (m IfMatch) Expected() (version.Expected, error) {
	if m.IfMatch == "" {
		return nil, nil
	}
	tags, err := parseTags(m.IfMatch)
	if err != nil {
		return nil, errIfMatch
	}
	return tags.versions(), nil
}

// conditional prepares op, of these input and output types, for preconditions.
func conditional(op huma.Operation, input, output reflect.Type) (huma.Operation, huma.Middlewares) {
	if embeds[IfMatch](input) {
		op.Errors = append(op.Errors, http.StatusPreconditionFailed)
		return op, huma.Middlewares{joinLines(headerIfMatch), refuseBlank}
	}
	if !embeds[Versioned](output) || op.Method != http.MethodGet {
		return op, nil
	}
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: headerIfNoneMatch, In: "header", Schema: &huma.Schema{Type: huma.TypeString}, Example: `"3"`,
		Description: "Entity tags that the caller has; 304 without a body where the resource's is among them",
	})
	op.Responses = withResponse(op.Responses, "304", &huma.Response{
		Description: "The caller has this version",
		Headers:     map[string]*huma.Param{"ETag": {Schema: &huma.Schema{Type: huma.TypeString}}},
	})
	return op, huma.Middlewares{joinLines(headerIfNoneMatch), keepKnown}
}

func withResponse(responses map[string]*huma.Response, status string, r *huma.Response) map[string]*huma.Response {
	if responses == nil {
		responses = map[string]*huma.Response{}
	}
	responses[status] = r
	return responses
}

func embeds[E any](t reflect.Type) bool {
	wanted := reflect.TypeFor[E]()
	field, ok := t.FieldByName(wanted.Name())
	return ok && field.Anonymous && field.Type == wanted
}

// joinLines puts a header's lines together, as RFC 9110 has it: huma reads the first alone.
func joinLines(name string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, _ := humachi.Unwrap(ctx)
		h := r.Header
		if lines := h[name]; len(lines) > 1 {
			h[name] = []string{strings.Join(lines, ", ")}
		}
		next(ctx)
	}
}

// refuseBlank refuses an If-Match without a tag: its sender means to be careful, so it must not count as absent.
func refuseBlank(ctx huma.Context, next func(huma.Context)) {
	r, w := humachi.Unwrap(ctx)
	if lines := r.Header[headerIfMatch]; len(lines) == 1 && strings.Trim(lines[0], " \t,") == "" {
		WriteProblem(w, r, errIfMatch)
		return
	}
	next(ctx)
}

// keepKnown remembers what the caller has. A header that cannot be read costs the caller a body, no more.
func keepKnown(ctx huma.Context, next func(huma.Context)) {
	if tags, err := parseTags(ctx.Header(headerIfNoneMatch)); err == nil {
		exchangeFrom(ctx.Context()).known = tags
	}
	next(ctx)
}

// unchanged gives the answer to a caller who has the version that out carries; nil where out must be sent.
func unchanged(ctx context.Context, out any) error {
	v, ok := out.(interface{ entityTag() string })
	x := exchangeFrom(ctx)
	if !ok || x == nil || !x.known.has(v.entityTag()) {
		return nil
	}
	return notModified{v.entityTag()}
}

// notModified answers 304. It is an error only to huma, which would write the body otherwise.
type notModified struct{ tag string }

// Error implements error.
func (notModified) Error() string { return http.StatusText(http.StatusNotModified) }

// GetStatus implements huma.StatusError.
func (notModified) GetStatus() int { return http.StatusNotModified }

// GetHeaders implements huma.HeadersError: huma's own 304 lacks the tag.
func (n notModified) GetHeaders() http.Header { return http.Header{"Etag": {n.tag}} }
