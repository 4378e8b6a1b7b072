package rest

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/idempotency"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/version"
)

// Names of the document's shared parts.
const (
	partCorrelation = "CorrelationID"
	partChallenge   = "Challenge"
	partRetryAfter  = "RetryAfter"
)

const exampleCorrelation = "0195a1f3-2b1d-7a00-b111-5d2c7e9f0a02"

var text = &huma.Schema{Type: huma.TypeString}

// sharedParts are the headers that every operation knows.
func sharedParts(c *huma.Components) {
	c.Parameters = map[string]*huma.Param{partCorrelation: {
		Name: HeaderCorrelation, In: "header", Schema: text, Example: exampleCorrelation,
		Description: "Under which everything that the request causes is found: at most 128 characters of A-Z a-z 0-9 . _ : / + = @ -. " +
			"One that is absent, or not fit, is made.",
	}}
	c.Headers = map[string]*huma.Header{
		partCorrelation: {
			Schema: text, Required: true, Example: exampleCorrelation, Description: "The request's correlation ID, its own or the one that was made",
		},
		partChallenge: {
			Schema: text, Required: true, Example: `Bearer realm="millrace"`,
			Description: "How to authenticate; error=\"invalid_token\" where the token is at fault",
		},
		partRetryAfter: {
			Schema: &huma.Schema{Type: huma.TypeInteger}, Required: true, Example: 2, Description: "Seconds after which it makes sense to try again",
		},
	}
}

// usual are the refusals of the edge, which need no description of each operation.
var usual = []refusal{
	{
		status: http.StatusBadRequest, code: "malformed", detail: "The request cannot be read.",
		fields: []fault.Field{{Location: "body", Message: "ends in the middle of a value, at byte 17"}},
	},
	refusalOf(version.ErrMoved), refusalOf(errTooLarge), errSlow, errContentType, errContentEncoding,
	errInternal,
	{
		status: http.StatusServiceUnavailable, code: "database_away", detail: "The database cannot be reached. Nothing was changed; try again.",
	},
	{
		status: http.StatusServiceUnavailable, code: "database_full",
		detail: "The database has no room: its disk is full. Nothing was changed; try again once there is space.",
	},
	{
		status: http.StatusServiceUnavailable, code: "database_read_only",
		detail: "The database is read-only at present. Nothing was changed; try again.",
	},
	{
		status: http.StatusServiceUnavailable, code: "database_disk",
		detail: "The disk of the database reports errors, or its file is damaged. Nothing was changed.",
	},
	{
		status: http.StatusServiceUnavailable, code: "query_too_slow",
		detail: "The query takes too long and was ended. Nothing was changed; ask for less, or try again later.",
	},
	{status: http.StatusServiceUnavailable, code: "outcome_unknown", detail: unknownOutcome},
}

// excess are the refusals of callers who ask for too much at once, and of those who come while others do.
func excess(op *huma.Operation) []refusal {
	if _, signedIn := op.Metadata[metaRoles]; signedIn && op.Method == http.MethodGet {
		return []refusal{refusalOf(errReads), refusalOf(errReadsBusy), refusalOf(errUnread)}
	}
	return []refusal{refusalOf(errLimited.After(usualWait))}
}

// accessUnknown is said by whoever knows whose rights changed.
var accessUnknown = refusal{
	status: http.StatusServiceUnavailable, code: "access_unknown",
	detail: "It cannot be checked at present whether the access token is still good. Nothing was changed; try again.",
}

// keysAway is said by whoever checks tokens.
var keysAway = refusal{
	status: http.StatusServiceUnavailable, code: "keys_unavailable",
	detail: "The keys that check access tokens cannot be had now; try again shortly.",
}

// complete adds to an operation what the document says of all of them alike. It runs when the operation is registered.
func complete(document *huma.OpenAPI, op *huma.Operation) {
	op.Parameters = append(op.Parameters, &huma.Param{Ref: "#/components/parameters/" + partCorrelation})
	for _, no := range slices.Concat(usual, excess(op)) {
		fails(document, op, no)
	}
	if op.RequestBody == nil {
		fails(document, op, refusalOf(errAddress))
	}
	if op.Responses["422"] != nil {
		fails(document, op, invalidExample(op))
	}
	if slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == headerIdempotencyKey }) {
		fails(document, op, refusalOf(idempotency.ErrReused))
	}
	for _, no := range doors(op) {
		fails(document, op, no)
	}
	for status, response := range op.Responses {
		addHeaders(op, status, response)
	}
}

// doors are the refusals of callers who may not use op at all.
func doors(op *huma.Operation) (refused []refusal) {
	roles, signedIn := op.Metadata[metaRoles].([]principal.Role)
	if !signedIn {
		return nil
	}
	refused = append(refused, refusalOf(errNoToken), refusalOf(errBadToken), keysAway, accessUnknown)
	if len(roles) > 0 {
		refused = append(refused, refusalOf(errForbidden))
	}
	if _, before := op.Metadata[metaBefore]; !before {
		refused = append(refused, refusalOf(errPassword))
	}
	return refused
}

// invalidExample breaks a rule of the first thing that op takes.
func invalidExample(op *huma.Operation) refusal {
	field := fault.Field{Location: "body", Message: "unexpected property"}
	if op.RequestBody == nil {
		field = fault.Field{Location: "query.nosuch", Message: "unknown query parameter"}
	}
	if i := slices.IndexFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "path" }); i >= 0 {
		field = fault.Field{Location: "path." + op.Parameters[i].Name, Message: "expected a UUID"}
	}
	return refusalOf(fault.NewInvalid(field))
}

// fails makes no an example of its status, where op may answer with that status.
func fails(document *huma.OpenAPI, op *huma.Operation, no refusal) {
	response := op.Responses[strconv.Itoa(no.status)]
	if response == nil || response.Content[contentTypeProblem] == nil {
		return
	}
	media := response.Content[contentTypeProblem]
	if media.Examples == nil {
		media.Examples = map[string]*huma.Example{}
	}
	media.Examples[no.code] = shared(document.Components, no)
}

// shared makes an example of no, or refers to the one that is there already.
func shared(parts *huma.Components, no refusal) *huma.Example {
	problem := no.problem(context.Background())
	problem.CorrelationID = exampleCorrelation
	example := &huma.Example{Summary: no.detail, Value: problem}
	if parts.Examples == nil {
		parts.Examples = map[string]*huma.Example{}
	}
	if _, taken := parts.Examples[no.code]; !taken {
		parts.Examples[no.code] = example
	}
	if !reflect.DeepEqual(parts.Examples[no.code], example) {
		return example
	}
	return &huma.Example{Ref: "#/components/examples/" + no.code}
}

func addHeaders(op *huma.Operation, status string, response *huma.Response) {
	shared := map[string]string{HeaderCorrelation: partCorrelation}
	switch problem := response.Content[contentTypeProblem] != nil; {
	case problem && status == "401":
		shared["WWW-Authenticate"] = partChallenge
	case problem && (status == "429" || status == "503"):
		shared["Retry-After"] = partRetryAfter
	}
	if response.Headers == nil {
		response.Headers = map[string]*huma.Header{}
	}
	for name, header := range response.Headers {
		header.Required = name != headerReplayed // it is there on a replay alone
	}
	for name, part := range shared {
		response.Headers[name] = &huma.Header{Ref: "#/components/headers/" + part}
	}
	control, ok := op.Metadata[metaCaching].([]string)
	if !ok {
		control = headerNoStore
	}
	response.Headers["Cache-Control"] = &huma.Header{
		Schema: text, Required: true, Example: control[0], Description: "Whether the answer may be kept",
	}
}
