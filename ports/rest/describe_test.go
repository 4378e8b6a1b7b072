package rest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/ports/rest"
)

type describedOperation struct {
	Description string `json:"description"`
	RequestBody struct {
		Content map[string]struct {
			Example any `json:"example"`
		} `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Headers map[string]any `json:"headers"`
		Content map[string]struct {
			Example  any                       `json:"example"`
			Examples map[string]map[string]any `json:"examples"`
		} `json:"content"`
	} `json:"responses"`
}

type openAPI struct {
	Paths      map[string]map[string]describedOperation `json:"paths"`
	Components struct {
		Schemas map[string]map[string]any `json:"schemas"`
	} `json:"components"`
}

func (f *fixture) openAPI(t *testing.T) (d openAPI) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text(t, f.get(t, "/openapi.json"))), &d))
	return d
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	f := setup(t)
	op := f.server.API().OpenAPI().Paths["/api/own"].Put
	rest.Describe(f.server.API(), rest.Descriptions{Operations: map[string]rest.Description{
		op.OperationID: {
			Text: "About it.", Request: thing{Name: "given"}, Answer: thing{Name: "answered"},
			Problems: []*fault.Error{
				fault.New(fault.Unauthenticated, "asleep", "Nobody is awake."), fault.New(fault.Conflict, "never", "It cannot be."),
			},
		},
	}})
	got := f.openAPI(t).Paths["/api/own"]["put"]
	require.Equal(t, "About it.", got.Description)
	require.Equal(t, map[string]any{"name": "given"}, got.RequestBody.Content["application/json"].Example)
	require.Equal(t, map[string]any{"name": "answered"}, got.Responses["200"].Content["application/json"].Example)
	refused := got.Responses["401"].Content["application/problem+json"].Examples
	require.Contains(t, refused, "asleep")
	require.Contains(t, refused, "invalid_token", "the edge's own are there without being named")
	require.NotContains(t, got.Responses, "409", "what an operation does not answer is not described")
	require.Contains(t, got.Responses["401"].Headers, "WWW-Authenticate")
	require.Contains(t, got.Responses["503"].Headers, "Retry-After")
	for status, response := range got.Responses {
		require.Contains(t, response.Headers, "X-Correlation-ID", status)
	}
}

// A client that checks answers against the document must live with a field that comes later; unknown fields of requests are refused.
func TestAnswersMayGrowAndRequestsMayNot(t *testing.T) {
	t.Parallel()
	schemas := setup(t).openAPI(t).Components.Schemas
	require.Equal(t, false, schemas["Thing"]["additionalProperties"], "it is taken, and answered too")
	require.Equal(t, false, schemas["Item"]["additionalProperties"], "it is part of what is taken")
	require.NotContains(t, schemas["PageThing"], "additionalProperties")
	require.NotContains(t, schemas["Problem"], "additionalProperties")
}

func TestEventsDocument(t *testing.T) {
	t.Parallel()
	require.Equal(t, http.StatusNotFound, setup(t).get(t, "/asyncapi.json").StatusCode)
	calls := 0
	f := setup(t, func(c *rest.Config) {
		c.Events = func() ([]byte, error) { calls++; return []byte(`{"asyncapi":"3.0.0"}`), nil }
	})
	require.Zero(t, calls, "it is made when it is asked for")
	for range 2 {
		require.JSONEq(t, `{"asyncapi":"3.0.0"}`, text(t, f.get(t, "/asyncapi.json")))
	}
	require.Equal(t, 1, calls)
	require.Contains(t, f.openAPI(t).Paths, "/asyncapi.json")
	failing := setup(t, func(c *rest.Config) { c.Events = func() ([]byte, error) { return nil, errors.New("secret") } })
	problem(t, failing.get(t, "/asyncapi.json"), http.StatusInternalServerError)
}

func TestMetricsAreDescribedWhereTheyAre(t *testing.T) {
	t.Parallel()
	require.Contains(t, setup(t).openAPI(t).Paths, "/metrics")
	apart := setup(t, func(c *rest.Config) { c.OpsApart = true })
	require.NotContains(t, apart.openAPI(t).Paths, "/metrics")
}
