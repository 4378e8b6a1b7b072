package eventhttp

import (
	"context"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/event/query"
	"github.com/millrace/millrace/ports/rest"
)

type listEventsInput struct {
	rest.PageInput

	Type          string            `query:"type" maxLength:"255" doc:"Events of this type" example:"order.placed.v1"`
	Key           string            `query:"key" maxLength:"255" doc:"Events of this aggregate"`
	CorrelationID string            `query:"correlation_id" maxLength:"255" doc:"Events that this request caused"`
	Source        string            `query:"source" maxLength:"255" doc:"Events of this source" example:"/millrace/order"`
	After         rest.OptionalTime `query:"after" doc:"Events that happened at this time or later, RFC 3339"`
	Before        rest.OptionalTime `query:"before" doc:"Events that happened before this time, RFC 3339"`
	Order         string            `query:"order" enum:"asc,desc" default:"desc" doc:"asc: oldest first"`
}

func (h routes) listEvents(ctx context.Context, in *listEventsInput) (*answer, error) {
	q := query.Events{
		Filter: query.EventFilter{
			Type: in.Type, Key: in.Key, CorrelationID: in.CorrelationID, Source: in.Source, After: in.After.Pointer(),
			Before: in.Before.Pointer(),
		},
		Page: query.Page{Ascending: in.Order == "asc", Limit: in.Limit},
	}
	list := rest.ListOf(ctx, "events", in.Type, in.Key, in.CorrelationID, in.Source, rest.Stamp(in.After), rest.Stamp(in.Before), in.Order)
	var err error
	if q.Page.Behind, err = h.open(list, in.Cursor); err != nil {
		return nil, err
	}
	page, err := h.Events.Handle(ctx, q)
	if err != nil {
		return nil, err
	}
	items := make([]Event, len(page.Items))
	for i, r := range page.Items {
		items[i] = shapeEvent(r)
	}
	return writePage(items, h.seal(list, page.Next))
}

type idInput struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (h routes) getEvent(ctx context.Context, in *idInput) (*answer, error) {
	e, err := h.EventByID.Handle(ctx, query.EventByID{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return writeOne(shapeDetail(e))
}
