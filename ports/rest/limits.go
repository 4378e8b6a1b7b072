package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/limit"
)

// Limits keeps buckets of tokens, the same for all replicas of a service. Take takes n tokens and gives 0, or takes none and gives the time
// until there are n.
type Limits interface {
	Take(ctx context.Context, bucket string, rule limit.Rule, n int) (wait time.Duration, err error)
}

var (
	errLimited = fault.New(fault.Exhausted, "rate_limited", "That is too often. Retry-After says in how many seconds it can go on.")
	errTooMuch = fault.New(fault.Exhausted, "rate_limited",
		"That is too much to store at once. Retry-After says in how many seconds it can go on.")
)

const metaLimit = "millrace_limit" // addressLimit; of huma.Operation.Metadata

type addressLimit struct {
	name string
	rule limit.Rule
}

// LimitedByAddress limits op for each address by a rule of its own instead of the one for writes. It is for what is costly and open to
// anybody. Every request counts, whatever its answer.
func LimitedByAddress(op huma.Operation, name string, rule limit.Rule) huma.Operation {
	return with(op, metaLimit, addressLimit{name, rule})
}

// limited gives the step that limits how often op is called, nil if it is not limited, and documents it. Reading is bounded otherwise.
func (g guards) limited(op *huma.Operation) func(huma.Context, func(huma.Context)) {
	own, named := op.Metadata[metaLimit].(addressLimit)
	if !named && !writing(op.Method) {
		return nil
	}
	op.Errors = append(op.Errors, http.StatusTooManyRequests)
	switch {
	case g.limits == nil:
		return nil
	case named:
		return limitStep(func(x *exchange, r *http.Request) error { return g.once(r.Context(), own) })
	}
	return limitStep(func(x *exchange, r *http.Request) error {
		return g.writes.take(r.Context(), writerOf(x), 1, x.server.cfg.Now)
	})
}

// weighed limits op, which writes, by the bytes that it is given and answers; nil if it is not limited so. It runs behind the check of the
// body, because what is refused is not stored.
func (g guards) weighed(op *huma.Operation) func(huma.Context, func(huma.Context)) {
	if _, named := op.Metadata[metaLimit]; named || g.limits == nil || !writing(op.Method) {
		return nil
	}
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(ctx)
		x := exchangeFrom(ctx.Context())
		who, given, now := writerOf(x), len(x.body), x.server.cfg.Now
		if err := g.weights.take(r.Context(), who, given, now); err != nil {
			WriteProblem(w, r, err)
			return
		}
		next(ctx)
		if more := int(x.bytes) - given; more > 0 && x.status < http.StatusBadRequest {
			g.weights.owe(who, more, now())
		}
	}
}

// once counts a request that is worth a transaction of its own.
func (g guards) once(ctx context.Context, l addressLimit) error {
	wait, err := g.limits.Take(ctx, l.name+" "+ClientNet(ctx).String(), l.rule, 1)
	if err != nil || wait == 0 {
		return err
	}
	return errLimited.After(wait)
}

func limitStep(take func(x *exchange, r *http.Request) error) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(ctx)
		if err := take(exchangeFrom(ctx.Context()), r); err != nil {
			WriteProblem(w, r, err)
			return
		}
		next(ctx)
	}
}

func writing(method string) bool {
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	}
	return false
}
