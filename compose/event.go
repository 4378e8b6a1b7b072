package compose

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/event/command"
	"github.com/millrace/millrace/app/event/query"
	"github.com/millrace/millrace/config"
	"github.com/millrace/millrace/ports/eventhttp"
	"github.com/millrace/millrace/process"
	"github.com/millrace/millrace/router"
	"github.com/millrace/millrace/router/eventconsumer"
)

// EventService is the event service, wired.
type EventService struct{ *process.Service }

func NewEventByIDHandler(store query.Store) *query.EventByIDHandler {
	return query.NewEventByIDHandler(store, eventconsumer.History)
}

func NewSequencer(assign *command.AssignPositionsHandler, p Platform) *eventconsumer.Sequencer {
	return eventconsumer.NewSequencer(assign, eventconsumer.SequencerConfig{Logger: p.Log.With("service", config.ServiceEvent)})
}

func NewEventService(
	r Runtime, http eventhttp.Handlers, handlers *eventconsumer.Consumer, sequencer *eventconsumer.Sequencer,
) (EventService, error) {
	s := r.service(migrations[config.ServiceEvent], nil, natsjs.Events, natsjs.Poison, natsjs.Requeue)
	s.Routes = func(api huma.API) { eventhttp.Register(api, http) }
	s.Workers = append(s.Workers, sequencer.Run)
	return EventService{s}, s.AddConsumers(
		&process.Consumer{
			Name:   eventconsumer.History,
			Topics: []string{"events.>", contract.RequeueTopic(eventconsumer.History)},
			Handle: handlers.Record,
		},
		&process.Consumer{
			Name:    eventconsumer.Poison,
			Topics:  []string{"poison.>"},
			Handle:  handlers.StorePoison,
			Options: []router.ConsumerOption{router.NeverPoison()},
		},
	)
}
