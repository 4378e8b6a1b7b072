package rest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
)

var (
	errNoToken = fault.New(fault.Unauthenticated, "unauthenticated",
		"Sign in first: an access token is needed in the Authorization header.")
	errBadToken  = fault.New(fault.Unauthenticated, "invalid_token", "The access token is not valid, or not any more.")
	errForbidden = fault.New(fault.Forbidden, "forbidden", "Your role may not do this.")
	errPassword  = fault.New(fault.Forbidden, "password_change_required",
		"Your password must be changed first: PUT /api/users/{id}/password, then refresh or sign in again.")
)

// authenticate lets a caller pass who has a valid token and, as of now, one of the roles. It comes before the body is read. A caller whose
// password must be changed passes only where beforeChange allows it.
func (g guards) authenticate(roles []principal.Role, beforeChange bool) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(ctx)
		x := exchangeFrom(ctx.Context())
		caller, err := x.server.identify(r)
		if err == nil && g.access != nil {
			caller, err = g.access.Check(caller)
		}
		if err != nil {
			WriteProblem(w, r, err)
			return
		}
		x.caller = caller
		if len(roles) > 0 && !slices.Contains(roles, caller.Role) {
			WriteProblem(w, r, errForbidden)
			return
		}
		if caller.MustChangePassword && !beforeChange {
			WriteProblem(w, r, errPassword)
			return
		}
		next(ctx)
	}
}

func (s *Server) identify(r *http.Request) (principal.Principal, error) {
	given := r.Header["Authorization"]
	if len(given) == 0 || s.cfg.Verifier == nil {
		return principal.Principal{}, errNoToken
	}
	token, ok := bearer(given[0])
	if !ok || len(given) > 1 {
		return principal.Principal{}, errBadToken
	}
	caller, err := s.cfg.Verifier.Verify(r.Context(), token)
	if fault.KindOf(err) == fault.Unauthenticated {
		return principal.Principal{}, errBadToken.Because(err)
	}
	return caller, err
}

// maxToken is far above what we issue; longer ones are refused unread.
const maxToken = 4096

func bearer(header string) (string, bool) {
	scheme, token, ok := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "bearer") && token != "" && len(token) <= maxToken
}
