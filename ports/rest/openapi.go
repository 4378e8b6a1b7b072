package rest

import (
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
)

const securityScheme = "bearer"

// adjustHuma sets huma's package variables: it has no other place for them. All servers of a process want the same.
var adjustHuma = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return problemOfHuma(nil, status, message, errs...)
	}
	huma.NewErrorWithContext = problemOfHuma
	// These end in a parser's error, which quotes the value; a precision of 0 leaves it out.
	validation.MsgExpectedRFC5322Email = "expected an e-mail address%.0v"
	validation.MsgExpectedRFC3986URI = "expected a URI%.0v"
	validation.MsgExpectedRFC4122UUID = "expected a UUID%.0v"
	validation.MsgExpectedRegexp = "expected a regular expression%.0v"
	validation.MsgExpectedDuration = "expected a duration%.0v"
})

func newAPIConfig(title, version string) huma.Config {
	cfg := huma.DefaultConfig(title, version)
	cfg.CreateHooks = nil // no $schema in answers
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "", "", ""
	cfg.Formats = map[string]huma.Format{"application/json": strictFormat, "json": strictFormat}
	cfg.DefaultFormat = "application/json"
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		securityScheme: {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The access token of a sign-in."},
	}
	cfg.Info.Description = aboutAPI
	cfg.Info.License = &huma.License{Name: "MIT", Identifier: "MIT"}
	cfg.Servers = []*huma.Server{{URL: "/", Description: "The server that this document came from"}}
	sharedParts(cfg.Components)
	cfg.OnAddOperation = append(cfg.OnAddOperation, complete)
	return cfg
}

const aboutAPI = `JSON in snake_case, times RFC 3339 in UTC, ids UUIDv7, money in integer minor units.

**Failures** are problems by RFC 9457; programs go by ` + "`code`" + `. Malformed JSON, invalid UTF-8 and a key twice in one object are 400;
unknown fields, unknown parameters and values out of range 422, with at most 100 of them named; a body over 1 MiB is 413. A body of more
than 64 KiB, white space between its values left aside, keeps no operation's rules and is 422. Values are never repeated. A whole number
may be written ` + "`100`, `100.0` or `1e2`" + `.

**Lists** are paged: ` + "`limit`, `cursor`; `next_cursor`" + ` is absent on the last page.

**Versions.** A single resource carries its version as ` + "`ETag`; `If-Match`" + ` makes a change depend on it.

**Limits.** Writes 100 a second per caller, with bursts of 200, and 128 KiB a second of what is sent or answered, whichever is longer, with
bursts of 1 MiB; 429 says in ` + "`Retry-After`" + ` when it can go on.

HEAD is answered where GET is.`
