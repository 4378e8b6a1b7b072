package userhttp

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/millrace/millrace/app/limit"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/app/user/query"
	"github.com/millrace/millrace/ports/rest"
)

// registrations are costly, since each hashes a password, and open to anybody.
var registrations = limit.Rule{Burst: 30, Per: time.Minute}

func (h routes) accounts(api huma.API) {
	rest.Register(api, rest.LimitedByAddress(huma.Operation{
		OperationID: "register-user", Method: http.MethodPost, Path: "/api/users", DefaultStatus: http.StatusCreated,
		Summary: "Register", Tags: []string{"users"}, Errors: []int{http.StatusConflict},
	}, "registrations", registrations), h.register)
	rest.Register(api, rest.BeforePasswordChange(rest.SignedIn(huma.Operation{
		OperationID: "get-me", Method: http.MethodGet, Path: "/api/users/me",
		Summary: "One's own account", Tags: []string{"users"}, Errors: []int{http.StatusNotFound},
	})), h.me)
	rest.Register(api, rest.SignedIn(huma.Operation{
		OperationID: "get-user", Method: http.MethodGet, Path: "/api/users/{id}",
		Summary: "An account, for its user and for admins", Tags: []string{"users"}, Errors: []int{http.StatusNotFound},
	}), h.get)
	rest.Register(api, rest.SignedIn(huma.Operation{
		OperationID: "list-users", Method: http.MethodGet, Path: "/api/users",
		Summary: "All accounts, newest first", Tags: []string{"users"},
	}, principal.RoleAdmin), h.list)
	rest.Register(api, rest.SignedIn(huma.Operation{
		OperationID: "update-user", Method: http.MethodPut, Path: "/api/users/{id}",
		Summary: "Change an account; what is absent stays", Tags: []string{"users"},
		Errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict},
	}), h.update)
	rest.Register(api, rest.SignedIn(huma.Operation{
		OperationID: "delete-user", Method: http.MethodDelete, Path: "/api/users/{id}", DefaultStatus: http.StatusNoContent,
		Summary: "Delete an account and everything personal with it", Tags: []string{"users"},
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}), h.delete)
}

type registerInput struct {
	rest.Idempotent

	Body struct {
		Email    string `json:"email" doc:"At most 254 bytes; compared without case" example:"ada@example.com"`
		Name     string `json:"name" doc:"1 to 200 characters" example:"Ada"`
		Password string `json:"password" doc:"8 to 128 characters; no common one, nor e-mail address or name" example:"gristmill by the river"`
	}
}

func (h routes) register(ctx context.Context, in *registerInput) (*rest.Created[Account], error) {
	u, err := h.RegisterUser.Handle(ctx, command.RegisterUser{
		Email: in.Body.Email, Name: in.Body.Name, Password: in.Body.Password, Network: rest.ClientNet(ctx).String(),
		Once: rest.Once(ctx, registered),
	})
	if err != nil {
		return nil, err
	}
	return registered(u), nil
}

func registered(u user.User) *rest.Created[Account] {
	return &rest.Created[Account]{Versioned: rest.Version(u.Version), Location: "/api/users/" + u.ID.String(), Body: accountOf(u)}
}

type idInput struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (h routes) me(ctx context.Context, _ *struct{}) (*accountOutput, error) {
	return h.account(ctx, rest.Caller(ctx).UserID)
}

func (h routes) get(ctx context.Context, in *idInput) (*accountOutput, error) {
	return h.account(ctx, in.ID)
}

func (h routes) account(ctx context.Context, id uuid.UUID) (*accountOutput, error) {
	return answered(h.UserByID.Handle(ctx, query.UserByID{Caller: rest.Caller(ctx), ID: id}))
}

type updateInput struct {
	rest.IfMatch

	ID   uuid.UUID `path:"id" format:"uuid"`
	Body struct {
		Email           rest.Optional[string]         `json:"email,omitempty" doc:"At most 254 bytes; one's own new one needs current_password"`
		Name            rest.Optional[string]         `json:"name,omitempty" doc:"1 to 200 characters"`
		Role            rest.Optional[principal.Role] `json:"role,omitempty" enum:"user,publisher,operator,admin" doc:"Admins only"`
		CurrentPassword string                        `json:"current_password,omitempty"`
	}
}

func (h routes) update(ctx context.Context, in *updateInput) (*accountOutput, error) {
	c, err := in.command()
	if err != nil {
		return nil, err
	}
	c.Caller, c.Network = rest.Caller(ctx), rest.ClientNet(ctx).String()
	return answered(h.UpdateUser.Handle(ctx, c))
}

func (in *updateInput) command() (c command.UpdateUser, err error) {
	c.ID, c.CurrentPassword = in.ID, in.Body.CurrentPassword
	if c.Expected, err = in.Expected(); err != nil {
		return c, err
	}
	if c.Email, err = in.Body.Email.Required("body.email"); err != nil {
		return c, err
	}
	if c.Name, err = in.Body.Name.Required("body.name"); err != nil {
		return c, err
	}
	c.Role, err = in.Body.Role.Required("body.role")
	return c, err
}

type deleteInput struct {
	rest.IfMatch

	ID uuid.UUID `path:"id" format:"uuid"`
}

func (h routes) delete(ctx context.Context, in *deleteInput) (*struct{}, error) {
	expected, err := in.Expected()
	if err != nil {
		return nil, err
	}
	return nil, h.DeleteUser.Handle(ctx, command.DeleteUser{Caller: rest.Caller(ctx), ID: in.ID, Expected: expected})
}
