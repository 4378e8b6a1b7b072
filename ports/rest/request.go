package rest

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/google/uuid"

	"github.com/millrace/millrace/app/fault"
)

var (
	errTooLarge    = fault.New(fault.TooLarge, "too_large", "The body is larger than 1 MiB.")
	errBodyCut     = fault.New(fault.Malformed, "malformed", "The body could not be read to its end.")
	errAddress     = fault.New(fault.Malformed, "malformed", "The address is not well formed.")
	errContentType = refusal{
		status: http.StatusUnsupportedMediaType, code: "unsupported_media_type", detail: "The body must be application/json.",
	}
	errContentEncoding = refusal{
		status: http.StatusUnsupportedMediaType, code: "unsupported_content_encoding", detail: "The body must not be compressed.",
	}
	errSlow = refusal{
		status: http.StatusRequestTimeout, code: "request_timeout", detail: "The body did not arrive in time.",
	}
)

// checkAddress refuses a path or query that is not well formed, a parameter that the operation does not know, one that is given twice or
// empty (nobody can tell what is meant), and a UUID in another spelling than that of RFC 9562: one thing has one address.
func checkAddress(ctx huma.Context, next func(huma.Context)) {
	r, w := humachi.Unwrap(ctx)
	if !utf8.ValidString(r.URL.Path) {
		WriteProblem(w, r, errAddress)
		return
	}
	if err := checkPath(ctx); err != nil {
		WriteProblem(w, r, err)
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

// uuidLength is that of a UUID's one spelling.
const uuidLength = 36

// isUUID reports whether s is one in that spelling. Operations take it as a uuid.UUID, and huma refuses what does not fit without saying
// why.
func isUUID(s string) bool { return len(s) == uuidLength && uuid.Validate(s) == nil }

func checkPath(ctx huma.Context) error {
	for _, p := range ctx.Operation().Parameters {
		if p.In == "path" && p.Schema.Format == "uuid" && !isUUID(ctx.Param(p.Name)) {
			return fault.NewInvalid(fault.Field{Location: "path." + p.Name, Message: ruleUUID})
		}
	}
	return nil
}

const ruleUUID = "expected a UUID"

// maxParameters is more than any operation takes.
const maxParameters = 100

var errParameters = fault.NewInvalid(fault.Field{
	Location: "query", Message: fmt.Sprintf("has more than %d parameters", maxParameters),
})

func checkQuery(op *huma.Operation, raw string) error {
	if strings.Count(raw, "&") >= maxParameters {
		return errParameters
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return errAddress.Because(err)
	}
	var broken []fault.Field
	for name, values := range query {
		if !utf8.ValidString(name) || !utf8.ValidString(strings.Join(values, "")) {
			return errAddress
		}
		if rule := brokenRule(op, name, values); rule != "" {
			broken = append(broken, fault.Field{Location: cut("query." + name), Message: rule})
		}
	}
	if len(broken) > 0 {
		slices.SortFunc(broken, func(a, b fault.Field) int { return strings.Compare(a.Location, b.Location) })
		return fault.NewInvalid(broken...)
	}
	return nil
}

func brokenRule(op *huma.Operation, name string, values []string) string {
	i := slices.IndexFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "query" && p.Name == name })
	if i < 0 {
		return "unknown query parameter"
	}
	p := op.Parameters[i]
	switch {
	case len(values) > 1 && (p.Explode == nil || !*p.Explode):
		return "is given more than once"
	case slices.Contains(values, "") && name != "cursor": // without one it is the first page, which programs begin with
		return "must not be empty"
	case p.Schema.Format == "uuid" && !isUUID(values[0]):
		return ruleUUID
	}
	return ""
}

var headerJSON = []string{"application/json"}

// plainBody reports whether a body came without a Content-Encoding, or with the one that stands for none.
func plainBody(encodings []string) bool {
	return len(encodings) == 0 || len(encodings) == 1 && strings.EqualFold(encodings[0], "identity")
}

// typed reports whether a body may be read as JSON. One without a type is taken at its word, but not from a browser, which names the origin
// of what it posts: any page can have it send one here without asking first, and use up, at the visitor's address, the wrong passwords and
// registrations that are free.
func typed(h http.Header) bool {
	types := h["Content-Type"]
	return len(types) < 2 && isJSON(h.Get("Content-Type")) && (h.Get("Content-Type") != "" || len(h["Origin"]) == 0)
}

// isJSON reports whether a body of type t may be read as JSON. One without a type is taken at its word.
func isJSON(t string) bool {
	if t == "" || t == "application/json" {
		return true
	}
	media, params, err := mime.ParseMediaType(t)
	charset := params["charset"]
	return err == nil && media == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8"))
}
