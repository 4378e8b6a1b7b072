package userhttp

import (
	"context"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/user/query"
	"github.com/millrace/millrace/ports/rest"
)

type listInput struct {
	rest.PageInput

	Email string `query:"email" maxLength:"1016" doc:"Only the account with this address, in any spelling"`
}

type listOutput struct{ Body rest.Page[Account] }

func (h routes) list(ctx context.Context, in *listInput) (*listOutput, error) {
	list := rest.ListOf(ctx, "users", in.Email)
	behind, err := rest.Behind[uuid.UUID](h.Cursors, list, in.Cursor)
	if err != nil {
		return nil, err
	}
	page, err := h.Users.Handle(ctx, query.Users{Caller: rest.Caller(ctx), Email: in.Email, Behind: behind, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &listOutput{}
	for _, u := range page.Users {
		out.Body.Items = append(out.Body.Items, accountOf(u))
	}
	if page.Next != nil {
		out.Body.NextCursor = h.Cursors.Seal(list, *page.Next)
	}
	return out, nil
}
