package orderhttp

import (
	"context"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/ports/rest"
)

type placeOrderInput struct {
	rest.Idempotent

	Body struct {
		UserID   string `json:"user_id,omitempty" format:"uuid" minLength:"36" maxLength:"36" doc:"For whom an admin orders, known or not"`
		Items    []Item `json:"items" minItems:"1" maxItems:"100" nullable:"false"`
		Currency string `json:"currency" minLength:"3" maxLength:"3" doc:"ISO 4217" example:"EUR"`
		Note     string `json:"note,omitempty" maxLength:"1000" nullable:"true"`
	}
}

func (h routes) place(ctx context.Context, in *placeOrderInput) (*rest.Created[Order], error) {
	c := command.PlaceOrder{
		Caller: rest.Caller(ctx), Items: items(in.Body.Items), Currency: in.Body.Currency, Note: in.Body.Note,
		Once: rest.Once(ctx, placed),
	}
	if in.Body.UserID != "" {
		id, err := uuid.Parse(in.Body.UserID)
		if err != nil {
			return nil, fault.NewInvalid(fault.Field{Location: "body.user_id", Message: "must be a UUID"})
		}
		c.UserID = &id
	}
	o, err := h.PlaceOrder.Handle(ctx, c)
	if err != nil {
		return nil, err
	}
	return placed(o), nil
}

func placed(o order.Order) *rest.Created[Order] {
	return &rest.Created[Order]{Versioned: rest.Version(o.Version), Location: location(o.ID), Body: shape(o)}
}

func location(id uuid.UUID) string { return "/api/orders/" + id.String() }

type idInput struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

type updateOrderInput struct {
	rest.IfMatch

	ID   uuid.UUID `path:"id" format:"uuid"`
	Body struct {
		Items rest.Optional[[]Item] `json:"items,omitempty" minItems:"1" maxItems:"100" doc:"All of the order's items; absent: they stay"`
		Note  rest.Optional[string] `json:"note,omitempty" maxLength:"1000" nullable:"true" doc:"null clears it; absent: it stays"`
	}
}

func (h routes) update(ctx context.Context, in *updateOrderInput) (*answer, error) {
	c := command.UpdateOrder{Caller: rest.Caller(ctx), ID: in.ID}
	var err error
	if c.Expected, err = in.Expected(); err != nil {
		return nil, err
	}
	if c.Change, err = in.change(); err != nil {
		return nil, err
	}
	return answered(h.UpdateOrder.Handle(ctx, c))
}

// change has null clear the note. An order without items is none, so these cannot be cleared.
func (in *updateOrderInput) change() (c order.Change, err error) {
	given, err := in.Body.Items.Required("body.items")
	if err != nil {
		return c, err
	}
	if given != nil {
		c.Items = items(*given)
	}
	if in.Body.Note.Given {
		c.Note = &in.Body.Note.Value
	}
	return c, nil
}

type cancelOrderInput struct {
	rest.IfMatch

	ID   uuid.UUID `path:"id" format:"uuid"`
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"500" nullable:"true"`
	}
}

func (h routes) cancel(ctx context.Context, in *cancelOrderInput) (*answer, error) {
	c := command.CancelOrder{Caller: rest.Caller(ctx), ID: in.ID}
	var err error
	if c.Expected, err = in.Expected(); err != nil {
		return nil, err
	}
	if in.Body != nil {
		c.Reason = in.Body.Reason
	}
	return answered(h.CancelOrder.Handle(ctx, c))
}

type deleteOrderInput struct {
	rest.IfMatch

	ID uuid.UUID `path:"id" format:"uuid"`
}

func (h routes) delete(ctx context.Context, in *deleteOrderInput) (*struct{}, error) {
	expected, err := in.Expected()
	if err != nil {
		return nil, err
	}
	return nil, h.DeleteOrder.Handle(ctx, command.DeleteOrder{
		Caller: rest.Caller(ctx), ID: in.ID, Expected: expected,
		Answers: rest.Redact(location(in.ID), func(answered *Order) { answered.Note = "" }),
	})
}
