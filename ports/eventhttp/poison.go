package eventhttp

import (
	"context"

	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/command"
	"github.com/millrace/millrace/app/event/query"
	"github.com/millrace/millrace/ports/rest"
)

type listPoisonInput struct {
	rest.PageInput

	Status      string            `query:"status" enum:"open,requeued,discarded,resolved" doc:"Messages of this status"`
	Consumer    string            `query:"consumer" maxLength:"255" doc:"Messages that this consumer gave up" example:"order-customers"`
	Type        string            `query:"type" maxLength:"255" doc:"Messages of this event type"`
	Fingerprint string            `query:"fingerprint" maxLength:"64" doc:"Failures of one kind"`
	Key         string            `query:"key" maxLength:"255" doc:"Messages about this aggregate"`
	After       rest.OptionalTime `query:"after" doc:"Messages that failed last at this time or later, RFC 3339"`
	Before      rest.OptionalTime `query:"before" doc:"Messages that failed last before this time, RFC 3339"`
}

func (h routes) listPoison(ctx context.Context, in *listPoisonInput) (*answer, error) {
	q := query.Poison{
		Filter: query.PoisonFilter{
			Status: event.Status(in.Status), Consumer: in.Consumer, Type: in.Type, Fingerprint: in.Fingerprint, Key: in.Key,
			After:  in.After.Pointer(),
			Before: in.Before.Pointer(),
		},
		Limit: in.Limit,
	}
	list := rest.ListOf(ctx, "poison", in.Status, in.Consumer, in.Type, in.Fingerprint, in.Key, rest.Stamp(in.After), rest.Stamp(in.Before))
	var err error
	if q.Behind, err = rest.Behind[query.PoisonCursor](h.Cursors, list, in.Cursor); err != nil {
		return nil, err
	}
	page, err := h.Poison.Handle(ctx, q)
	if err != nil {
		return nil, err
	}
	items := make([]Poison, len(page.Items))
	for i, p := range page.Items {
		items[i] = shapePoison(p)
	}
	next := ""
	if page.Next != nil {
		next = h.Cursors.Seal(list, *page.Next)
	}
	return writePage(items, next)
}

func (h routes) getPoison(ctx context.Context, in *idInput) (*answer, error) {
	p, err := h.PoisonByID.Handle(ctx, query.PoisonByID{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return writeOne(shapePoison(p))
}

func (h routes) requeuePoison(ctx context.Context, in *idInput) (*answer, error) {
	p, err := h.RequeuePoison.Handle(ctx, command.RequeuePoison{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return writeOne(shapePoison(p))
}
