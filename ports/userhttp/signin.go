package userhttp

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/ports/rest"
)

type signInInput struct {
	Body struct {
		Email    string `json:"email"`
		Password string `json:"password"`
	}
}

type signInOutput struct {
	Body struct {
		AccessToken string `json:"access_token" doc:"For the Authorization header, as a bearer token"`
		TokenType   string `json:"token_type" enum:"Bearer"`
		ExpiresIn   int64  `json:"expires_in" doc:"Seconds for which the access token is good"`
	}
}

func (h routes) signIn(api huma.API) {
	rest.Register(api, huma.Operation{
		OperationID: "sign-in", Method: http.MethodPost, Path: "/api/auth/login",
		Summary: "Sign in", Tags: []string{"auth"}, Errors: []int{http.StatusUnauthorized},
	}, h.login)
}

func (h routes) login(ctx context.Context, in *signInInput) (*signInOutput, error) {
	signed, err := h.SignIn.Handle(ctx, command.SignIn{Email: in.Body.Email, Password: in.Body.Password})
	if err != nil {
		return nil, err
	}
	out := &signInOutput{}
	out.Body.AccessToken, out.Body.TokenType = signed.AccessToken, "Bearer"
	out.Body.ExpiresIn = wholeSeconds(signed.Expires.Sub(h.Now()))
	return out, nil
}

// wholeSeconds rounds up: a token's times are whole seconds, of which a part has passed already.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
