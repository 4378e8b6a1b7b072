// Package userhttp is the user service's part of the REST API: accounts, sign-in, sessions and the public keys of access tokens.
package userhttp

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/app/user/query"
	"github.com/millrace/millrace/ports/rest"
)

// KeySet gives the public keys that check access tokens, as a JSON Web Key Set.
type KeySet interface {
	Document(ctx context.Context) ([]byte, error)
}

// Handlers are what the routes call.
type Handlers struct {
	RegisterUser   *command.RegisterUserHandler
	UpdateUser     *command.UpdateUserHandler
	ChangePassword *command.ChangePasswordHandler
	DeleteUser     *command.DeleteUserHandler
	SignIn         *command.SignInHandler
	RefreshSession *command.RefreshSessionHandler
	SignOut        *command.SignOutHandler
	EndSession     *command.EndSessionHandler
	EndSessions    *command.EndSessionsHandler
	UserByID       *query.UserByIDHandler
	Users          *query.UsersHandler
	Sessions       *query.SessionsHandler
	Keys           KeySet
	Cursors        rest.Cursors
	Now            func() time.Time
}

type routes struct{ Handlers }

// Register adds the user service's operations to api.
func Register(api huma.API, h Handlers) {
	r := routes{h}
	r.accounts(api)
	r.password(api)
	r.signIn(api)
	r.sessions(api)
	r.keys(api)
	rest.Describe(api, described())
}
