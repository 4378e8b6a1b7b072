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
	cfg.RejectUnknownQueryParameters = true
	cfg.Formats = map[string]huma.Format{"application/json": strictFormat, "json": strictFormat}
	cfg.DefaultFormat = "application/json"
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		securityScheme: {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The access token of a sign-in."},
	}
	return cfg
}
