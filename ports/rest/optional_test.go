package rest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/ports/rest"
)

type patch struct {
	Note  rest.Optional[string] `json:"note,omitempty" maxLength:"5"`
	Items rest.Optional[[]item] `json:"items,omitempty" minItems:"1"`
}

func TestOptionalFields(t *testing.T) {
	t.Parallel()
	for body, c := range map[string]struct {
		status int
		want   patch
	}{
		`{}`:                                   {204, patch{}},
		`{"note":null}`:                        {204, patch{Note: rest.Optional[string]{Given: true, Null: true}}},
		`{"note":"a"}`:                         {204, patch{Note: rest.Optional[string]{Given: true, Value: "a"}}},
		`{"note":""}`:                          {204, patch{Note: rest.Optional[string]{Given: true}}},
		`{"note":"too long"}`:                  {422, patch{}},
		`{"note":1}`:                           {422, patch{}},
		`{"items":[]}`:                         {422, patch{}},
		`{"items":[{"sku":"a","quantity":0}]}`: {422, patch{}},
		`{"items":[{"sku":"a","quantity":9007199254740993}]}`: {204, patch{Items: rest.Optional[[]item]{
			Given: true, Value: []item{{SKU: "a", Quantity: 9007199254740993}},
		}}},
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			var got patch
			rest.Register(f.server.API(), huma.Operation{OperationID: "patch", Method: http.MethodPut, Path: "/api/patch"},
				func(_ context.Context, in *struct{ Body patch }) (*struct{}, error) {
					got = in.Body
					return &struct{}{}, nil
				})
			res := f.do(t, httptest.NewRequest(http.MethodPut, "/api/patch", strings.NewReader(body)))
			require.Equal(t, c.status, res.StatusCode, text(t, res))
			require.Equal(t, c.want, got)
		})
	}
}

func TestRequiredValueOfAnOptional(t *testing.T) {
	t.Parallel()
	absent, err := rest.Optional[string]{}.Required("body.x")
	require.NoError(t, err)
	require.Nil(t, absent)
	given, err := rest.Optional[string]{Given: true, Value: "a"}.Required("body.x")
	require.NoError(t, err)
	require.Equal(t, "a", *given)
	_, err = rest.Optional[string]{Given: true, Null: true}.Required("body.x")
	require.Error(t, err)
}
