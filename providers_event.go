package main

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/event/command"
	"github.com/millrace/millrace/app/event/query"
	"github.com/millrace/millrace/ports/eventhttp"
	"github.com/millrace/millrace/router"
	"github.com/millrace/millrace/router/eventconsumer"
)

// eventService is the event service, wired.
type eventService struct{ *service }

func newEventByIDHandler(store query.Store) *query.EventByIDHandler {
	return query.NewEventByIDHandler(store, eventconsumer.History)
}

func newSequencer(assign *command.AssignPositionsHandler, p platform) *eventconsumer.Sequencer {
	return eventconsumer.NewSequencer(assign, eventconsumer.SequencerConfig{Logger: p.log.With("service", serviceEvent)})
}

func newEventService(
	r runtime, http eventhttp.Handlers, handlers *eventconsumer.Consumer, sequencer *eventconsumer.Sequencer,
) (eventService, error) {
	s := r.service(migrations[serviceEvent], nil, natsjs.Events, natsjs.Poison, natsjs.Requeue)
	s.routes = func(api huma.API) { eventhttp.Register(api, http) }
	s.workers = append(s.workers, sequencer.Run)
	return eventService{s}, s.add(
		&consumer{
			name:   eventconsumer.History,
			topics: []string{"events.>", contract.RequeueTopic(eventconsumer.History)},
			handle: handlers.Record,
		},
		&consumer{
			name:    eventconsumer.Poison,
			topics:  []string{"poison.>"},
			handle:  handlers.StorePoison,
			options: []router.ConsumerOption{router.NeverPoison()},
		},
	)
}
