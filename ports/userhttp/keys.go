package userhttp

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/ports/rest"
)

type keysOutput struct {
	Body json.RawMessage
}

func (h routes) keys(api huma.API) {
	rest.Register(api, rest.Cached(huma.Operation{
		OperationID: "get-keys", Method: http.MethodGet, Path: "/.well-known/jwks.json",
		Summary: "The public keys that check access tokens (JSON Web Key Set)", Tags: []string{"auth"},
	}, "public, max-age=60"), h.keySet)
}

func (h routes) keySet(ctx context.Context, _ *struct{}) (*keysOutput, error) {
	document, err := h.Keys.Document(ctx)
	if err != nil {
		return nil, err
	}
	return &keysOutput{Body: document}, nil
}
