package rest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/ports/rest"
)

// demoted knows that every admin is none any more, and that user 1 is gone.
type demoted struct{}

func (demoted) Check(p principal.Principal) (principal.Principal, error) {
	if p.UserID == [16]byte{1} {
		return principal.Principal{}, fault.New(fault.Unauthenticated, "invalid_token", "gone")
	}
	p.Role = principal.RoleUser
	return p, nil
}

func TestEachServiceChecksItsOwnOperations(t *testing.T) {
	t.Parallel()
	f := setup(t)
	register := func(api huma.API, path string) {
		rest.Register(api, rest.SignedIn(huma.Operation{OperationID: path, Method: http.MethodGet, Path: path}, principal.RoleAdmin),
			func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
		rest.Register(api, rest.SignedIn(huma.Operation{OperationID: path + "-role", Method: http.MethodGet, Path: path + "/role"}),
			func(ctx context.Context, _ *struct{}) (*thingOutput, error) {
				return &thingOutput{Body: thing{Name: string(rest.Caller(ctx).Role)}}, nil
			})
	}
	register(rest.ForService(f.server.API(), rest.Service{Access: demoted{}}), "/knowing")
	register(rest.ForService(f.server.API(), rest.Service{}), "/trusting")
	ask := func(token, path string) *http.Response {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		return f.do(t, r)
	}
	require.Equal(t, 204, ask("admin", "/trusting").StatusCode)
	require.Equal(t, 403, ask("admin", "/knowing").StatusCode)
	require.JSONEq(t, `{"name":"user"}`, text(t, ask("admin", "/knowing/role")), "the operation sees who the caller is now")
	res := ask("user", "/knowing/role")
	require.Equal(t, "invalid_token", problem(t, res, 401).Code)
	require.Contains(t, res.Header.Get("WWW-Authenticate"), `error="invalid_token"`)
}
