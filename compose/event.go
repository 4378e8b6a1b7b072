package compose

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/adapters/eventsql"
	"github.com/millrace/millrace/app/event/command"
	"github.com/millrace/millrace/app/event/query"
	"github.com/millrace/millrace/lifecycle"
	"github.com/millrace/millrace/ports/eventhttp"
	"github.com/millrace/millrace/process"
	"github.com/millrace/millrace/router/eventconsumer"
)

// Event describes the event service.
var Event = Description{
	Name: "event", Summary: "Reads everything, keeps what was given up, and sends it back.",
	Migrations: eventsql.Migrations, Paths: []string{"/api/events", "/api/poison"},
	Publishes: []string{"requeue.>"},
	Consumers: []ConsumerDescription{
		{Name: eventconsumer.History, From: "events.>"},
		{Name: eventconsumer.Poison, From: "poison.>", NeverPoison: true},
	},
}

// NewEventByIDHandler returns what reads one event of the history.
func NewEventByIDHandler(store query.Store) *query.EventByIDHandler {
	return query.NewEventByIDHandler(store, eventconsumer.History)
}

// NewSequencer returns what gives recorded events their positions.
func NewSequencer(assign *command.AssignPositionsHandler, p Platform) *eventconsumer.Sequencer {
	return eventconsumer.NewSequencer(assign, eventconsumer.SequencerConfig{Logger: p.Log.With("service", Event.Name)})
}

// NewEventService returns the event service.
func NewEventService(
	r Runtime, http eventhttp.Handlers, handlers *eventconsumer.Consumer, sequencer *eventconsumer.Sequencer,
) (*process.Service, error) {
	s, err := r.service(map[string]lifecycle.Consumer{
		eventconsumer.History: {Handle: handlers.Record},
		eventconsumer.Poison:  {Handle: handlers.StorePoison},
	})
	if err != nil {
		return nil, err
	}
	s.Routes = func(api huma.API) { eventhttp.Register(api, http) }
	s.Workers = append(s.Workers, lifecycle.Worker{Name: "sequencer", Run: sequencer.Run})
	return s, nil
}
