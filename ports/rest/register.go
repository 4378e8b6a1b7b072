package rest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/app/idempotency"
	"github.com/millrace/millrace/app/principal"
)

// Keys of huma.Operation.Metadata.
const (
	metaRoles   = "millrace_roles"   // []principal.Role; present where a sign-in is needed
	metaCaching = "millrace_caching" // the value of Cache-Control, as a header
	metaBefore  = "millrace_before"  // present where a caller may come whose password must be changed
)

// Register adds an operation to api. What handle returns as an error is translated by its fault kind; the input was checked
// against its type's schema before; ctx carries the correlation ID and, where the operation is SignedIn, the caller.
func Register[I, O any](api huma.API, op huma.Operation, handle func(ctx context.Context, in *I) (*O, error)) {
	op, body := prepared(op, reflect.TypeFor[I](), reflect.TypeFor[O](), guardsOf(api))
	defer body.compile(api, op)
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if before, ok := errors.AsType[*idempotency.Replay](err); ok {
			return nil, replayed{before.Answer}
		}
		if err != nil {
			return nil, problemOf(ctx, err)
		}
		if err := unchanged(ctx, out); err != nil {
			return nil, err
		}
		return out, nil
	})
}

// SignedIn makes op one that needs a valid access token (401 before anything of the body is read) and, where roles are
// given, one of them (403).
func SignedIn(op huma.Operation, roles ...principal.Role) huma.Operation {
	op = with(op, metaRoles, roles)
	op.Security = append(slices.Clone(op.Security), map[string][]string{securityScheme: {}})
	return with(op, metaCaching, headerPrivate)
}

// BeforePasswordChange opens op, which is SignedIn, to callers whose password must be changed first. Everything else refuses them with 403,
// password_change_required: somebody else knows the password, and so may hold the token.
func BeforePasswordChange(op huma.Operation) huma.Operation { return with(op, metaBefore, true) }

// Cached sets the Cache-Control of op's answers. Without it they are not stored at all or, where op is SignedIn, only by the caller, who
// must ask again before using them.
func Cached(op huma.Operation, control string) huma.Operation {
	return with(op, metaCaching, []string{control})
}

func with(op huma.Operation, key string, value any) huma.Operation {
	op.Metadata = maps.Clone(op.Metadata)
	if op.Metadata == nil {
		op.Metadata = map[string]any{}
	}
	op.Metadata[key] = value
	return op
}

// prepared puts the edge's own steps before op: who calls, how often, then the query, then the preconditions, then
// the body and how much it is.
func prepared(op huma.Operation, input, output reflect.Type, guards guards) (huma.Operation, *bodyStep) {
	var steps huma.Middlewares
	op.Errors = slices.Clone(op.Errors)
	if control, ok := op.Metadata[metaCaching].([]string); ok {
		steps = append(steps, caching(control))
	}
	if roles, ok := op.Metadata[metaRoles].([]principal.Role); ok {
		_, before := op.Metadata[metaBefore]
		steps = append(steps, guards.authenticate(roles, before))
		op.Errors = append(op.Errors, http.StatusUnauthorized)
		if len(roles) > 0 || !before {
			op.Errors = append(op.Errors, http.StatusForbidden)
		}
	}
	if step := guards.limited(&op); step != nil {
		steps = append(steps, step)
	}
	if step := guards.bounded(&op); step != nil {
		steps = append(steps, step)
	}
	op, preconditions := conditional(op, input, output)
	steps = append(steps, checkAddress)
	op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusUnprocessableEntity)
	steps = append(steps, preconditions...)
	body := &bodyStep{limit: cmp.Or(op.MaxBodyBytes, maxBody)}
	if takesBody(input) {
		op.RequestBody = cmp.Or(op.RequestBody, &huma.RequestBody{}) // which huma completes
		steps = append(steps, body.read)
		op.Errors = append(op.Errors, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if step := guards.weighed(&op); step != nil {
		steps = append(steps, step)
	}
	if embeds[Idempotent](input) {
		steps = append(steps, guards.idempotent)
	}
	op.Errors = append(op.Errors, http.StatusServiceUnavailable)
	op.MaxBodyBytes, op.BodyReadTimeout = -1, -1 // bodyStep sees to the size, the server to the time
	op.SkipValidateBody = true                   // and bodyStep to the rules
	op.Middlewares = append(steps, op.Middlewares...)
	return op, body
}

func takesBody(input reflect.Type) bool {
	_, body := input.FieldByName("Body")
	_, raw := input.FieldByName("RawBody")
	return body || raw
}

func caching(control []string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		exchangeFrom(ctx.Context()).Header()["Cache-Control"] = control
		next(ctx)
	}
}
