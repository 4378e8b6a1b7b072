// Package eventhttp shows the history and the poison queue over HTTP, to operators and admins.
package eventhttp

import (
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/app/event/command"
	"github.com/millrace/millrace/app/event/query"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/ports/rest"
)

// Handlers are the use cases behind the routes.
type Handlers struct {
	Events        *query.EventsHandler
	EventByID     *query.EventByIDHandler
	Poison        *query.PoisonHandler
	PoisonByID    *query.PoisonByIDHandler
	RequeuePoison *command.RequeuePoisonHandler
	Cursors       rest.Cursors
}

// Register adds the routes to api.
func Register(api huma.API, h Handlers) {
	routes := routes(h)
	rest.Register(api, answering[rest.Page[Event]](api, operation(http.MethodGet, "/api/events", "list-events",
		"The history, newest first", "events"), http.StatusUnprocessableEntity), routes.listEvents)
	rest.Register(api, answering[EventDetail](api, operation(http.MethodGet, "/api/events/{id}", "get-event",
		"One event, and what became of it at each consumer", "events"), http.StatusNotFound, http.StatusUnprocessableEntity), routes.getEvent)
	rest.Register(api, answering[rest.Page[Poison]](api, operation(http.MethodGet, "/api/poison", "list-poison",
		"The poison queue, newest failure first", "poison"), http.StatusUnprocessableEntity), routes.listPoison)
	rest.Register(api, answering[Poison](api, operation(http.MethodGet, "/api/poison/{id}", "get-poison",
		"One poison message", "poison"), http.StatusNotFound, http.StatusUnprocessableEntity), routes.getPoison)
	rest.Register(api, answering[Poison](api, operation(http.MethodPost, "/api/poison/{id}/requeue", "requeue-poison",
		"Send a poison message back to the consumer that gave it up, and to no other", "poison"),
		http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity), routes.requeuePoison)
	rest.Describe(api, described())
}

func operation(method, path, id, summary, tag string) huma.Operation {
	return rest.SignedIn(huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary, Tags: []string{tag},
	}, principal.RoleOperator, principal.RoleAdmin)
}

// answering documents that op answers a T. The routes write it themselves, because an event's data goes out byte for byte.
func answering[T any](api huma.API, op huma.Operation, failures ...int) huma.Operation {
	answer := reflect.TypeFor[T]()
	op.Responses = map[string]*huma.Response{strconv.Itoa(http.StatusOK): {
		Description: http.StatusText(http.StatusOK),
		Content: map[string]*huma.MediaType{contentType: {
			Schema: api.OpenAPI().Components.Schemas.Schema(answer, true, answer.Name()),
		}},
	}}
	op.DefaultStatus = http.StatusOK
	op.Errors = failures
	return op
}

// routes are the operations.
type routes Handlers
