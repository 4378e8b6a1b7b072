package orderhttp

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/query"
	"github.com/millrace/millrace/ports/rest"
)

func (h routes) get(ctx context.Context, in *idInput) (*answer, error) {
	return answered(h.OrderByID.Handle(ctx, query.OrderByID{Caller: rest.Caller(ctx), ID: in.ID}))
}

type listOrdersInput struct {
	rest.PageInput

	Status string `query:"status" enum:"placed,cancelled" doc:"Orders of this status"`
	UserID string `query:"user_id" format:"uuid" doc:"Orders of this user; another than oneself: admins alone"`

	After  rest.OptionalTime `query:"after" doc:"Orders placed at this time or later, RFC 3339"`
	Before rest.OptionalTime `query:"before" doc:"Orders placed before this time, RFC 3339"`
}

type page struct{ Body rest.Page[Order] }

func (h routes) list(ctx context.Context, in *listOrdersInput) (*page, error) {
	q := query.Orders{
		Caller: rest.Caller(ctx), Status: order.Status(in.Status), After: in.After.Pointer(), Before: in.Before.Pointer(),
		Limit: in.Limit,
	}
	var err error
	if q.UserID, err = in.user(); err != nil {
		return nil, err
	}
	list := rest.ListOf(ctx, "orders", in.Status, strings.ToLower(in.UserID), rest.Stamp(in.After), rest.Stamp(in.Before),
		string(q.Caller.Role))
	if q.Behind, err = rest.Behind[uuid.UUID](h.Cursors, list, in.Cursor); err != nil {
		return nil, err
	}
	found, err := h.Orders.Handle(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &page{Body: rest.Page[Order]{Items: make([]Order, len(found.Orders))}}
	for i, o := range found.Orders {
		out.Body.Items[i] = shape(o)
	}
	if found.Next != nil {
		out.Body.NextCursor = h.Cursors.Seal(list, *found.Next)
	}
	return out, nil
}

func (in *listOrdersInput) user() (*uuid.UUID, error) {
	if in.UserID == "" {
		return nil, nil
	}
	id, err := uuid.Parse(in.UserID)
	if err != nil {
		return nil, fault.NewInvalid(fault.Field{Location: "query.user_id", Message: "must be a UUID"})
	}
	return &id, nil
}
