package userhttp

import (
	"context"
	"strconv"

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
	caller := rest.Caller(ctx)
	// A cursor fits only the list that it came from: this caller's, with this filter.
	list := "users" + strconv.Quote(string(caller.UserID[:])) + strconv.Quote(in.Email)
	ask := query.Users{Caller: caller, Email: in.Email, Limit: in.Limit}
	if in.Cursor != "" {
		var before uuid.UUID
		if err := h.Cursors.Open(list, in.Cursor, &before); err != nil {
			return nil, err
		}
		ask.Before = &before
	}
	page, err := h.Users.Handle(ctx, ask)
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
