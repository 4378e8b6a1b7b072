package userhttp

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/ports/rest"
)

func (h routes) password(api huma.API) {
	rest.Register(api, rest.BeforePasswordChange(rest.SignedIn(huma.Operation{
		OperationID: "change-password", Method: http.MethodPut, Path: "/api/users/{id}/password", DefaultStatus: http.StatusNoContent,
		Summary: "Change one's own password", Tags: []string{"users"},
		Errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusTooManyRequests},
		Description: "Ends every other session of the user at once; their access tokens are good for at most 15 minutes. " +
			"Where the password had to be changed first, refresh or sign in again: the access token at hand still says so. " +
			"A wrong current password is 403 `wrong_password`; another's account is 404 `user_not_found`, " +
			"and for an admin 403 `password_forbidden`.",
	})), h.changePassword)
}

type passwordInput struct {
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body struct {
		CurrentPassword string `json:"current_password"`
		NewPassword     string `json:"new_password" doc:"8 to 128 characters; no common one, nor e-mail address or name"`
	}
}

func (h routes) changePassword(ctx context.Context, in *passwordInput) (*struct{}, error) {
	return nil, h.ChangePassword.Handle(ctx, command.ChangePassword{
		Caller: rest.Caller(ctx), ID: in.ID, Current: in.Body.CurrentPassword, New: in.Body.NewPassword,
		Network: rest.ClientNet(ctx).String(),
	})
}
