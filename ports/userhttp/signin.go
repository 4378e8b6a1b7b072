package userhttp

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/ports/rest"
)

func (h routes) signIn(api huma.API) {
	rest.Register(api, huma.Operation{
		OperationID: "sign-in", Method: http.MethodPost, Path: "/api/auth/login",
		Summary: "Sign in", Tags: []string{"auth"}, Errors: []int{http.StatusUnauthorized},
		Description: "Begins a session. An unknown e-mail address and a wrong password get the same answer, 401 `bad_credentials`. " +
			"After 10 of them in 15 minutes for one account from one address, or 100 from one address, it is 429 `too_many_attempts`, " +
			"with `Retry-After`, for unknown e-mail addresses too. Guesses at one account from many addresses are slowed to one in 2 s, " +
			"but not from an address that the user signed in from within 6 weeks. " +
			"A user has at most 100 sessions: one more ends the oldest.",
	}, h.login)
	rest.Register(api, huma.Operation{
		OperationID: "refresh", Method: http.MethodPost, Path: "/api/auth/refresh",
		Summary: "Get the next pair of tokens", Tags: []string{"auth"}, Errors: []int{http.StatusUnauthorized},
		Description: "Uses up the refresh token. Within 10 s of its use it gives another pair, as long as its successor is unused: " +
			"so an answer that was lost can be asked for again. Later its use ends the session, because somebody else may have it. " +
			"A session ends after 14 days without a refresh, and after 30 days in any case. " +
			"A token that is not good, for whatever reason, gets 401 `invalid_refresh_token`: sign in again.",
	}, h.refresh)
	rest.Register(api, huma.Operation{
		OperationID: "sign-out", Method: http.MethodPost, Path: "/api/auth/logout", DefaultStatus: http.StatusNoContent,
		Summary: "Sign out", Tags: []string{"auth"},
		Description: "Ends the session of the refresh token: it cannot be refreshed any more, and its access token is good for at most " +
			"15 minutes. A token that is not known gets the same answer.",
	}, h.logout)
}

// Client is what a session keeps of the program that asks.
type Client struct {
	UserAgent string `header:"User-Agent" hidden:"true"`
}

func (c Client) of(ctx context.Context) user.Client {
	kept := user.Client{Agent: c.UserAgent}
	if addr := rest.ClientAddr(ctx); addr.IsValid() {
		kept.Address = addr.String()
	}
	return kept
}

type signInInput struct {
	Client

	Body struct {
		Email    string `json:"email" example:"ada@example.com"`
		Password string `json:"password" example:"correct horse battery staple"`
	}
}

type tokenInput struct {
	Client

	Body struct {
		RefreshToken string `json:"refresh_token" doc:"The last one that was given out"`
	}
}

type tokensOutput struct{ Body tokens }

type tokens struct {
	AccessToken  string `json:"access_token" doc:"For the Authorization header, as a bearer token"`
	TokenType    string `json:"token_type" enum:"Bearer"`
	ExpiresIn    int64  `json:"expires_in" doc:"Seconds for which the access token is good" example:"900"`
	RefreshToken string `json:"refresh_token" doc:"Gives the next pair, once; keep it secret"`
}

func (h routes) login(ctx context.Context, in *signInInput) (*tokensOutput, error) {
	return h.granted(h.SignIn.Handle(ctx, command.SignIn{
		Email: in.Body.Email, Password: in.Body.Password, Client: in.of(ctx), Network: rest.ClientNet(ctx).String(),
	}))
}

func (h routes) refresh(ctx context.Context, in *tokenInput) (*tokensOutput, error) {
	return h.granted(h.RefreshSession.Handle(ctx, command.RefreshSession{Token: in.Body.RefreshToken, Client: in.of(ctx)}))
}

func (h routes) granted(g command.Grant, err error) (*tokensOutput, error) {
	if err != nil {
		return nil, err
	}
	return &tokensOutput{Body: tokens{
		AccessToken: g.AccessToken, TokenType: "Bearer", ExpiresIn: wholeSeconds(g.Expires.Sub(h.Now())),
		RefreshToken: g.RefreshToken.Reveal(),
	}}, nil
}

func (h routes) logout(ctx context.Context, in *tokenInput) (*struct{}, error) {
	return nil, h.SignOut.Handle(ctx, command.SignOut{Token: in.Body.RefreshToken})
}

// wholeSeconds rounds up: a token's times are whole seconds, of which a part has passed already.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
