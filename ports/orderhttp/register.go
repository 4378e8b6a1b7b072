// Package orderhttp is the order service over HTTP: place, read, change, cancel and delete orders.
package orderhttp

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/app/order/query"
	"github.com/millrace/millrace/ports/rest"
)

// Handlers are the use cases behind the routes.
type Handlers struct {
	PlaceOrder  *command.PlaceOrderHandler
	UpdateOrder *command.UpdateOrderHandler
	CancelOrder *command.CancelOrderHandler
	DeleteOrder *command.DeleteOrderHandler
	OrderByID   *query.OrderByIDHandler
	Orders      *query.OrdersHandler
	Cursors     rest.Cursors
}

// routes are the operations.
type routes Handlers

// Register adds the routes to api. All of them are for anyone signed in; whose order it is decides the rest.
func Register(api huma.API, h Handlers) {
	routes := routes(h)
	rest.Register(api, operation(http.MethodPost, "/api/orders", "place-order", "Place an order", http.StatusCreated,
		http.StatusForbidden, http.StatusConflict, http.StatusUnprocessableEntity), routes.place)
	rest.Register(api, operation(http.MethodGet, "/api/orders", "list-orders", "One's own orders, an admin's: everybody's; newest first",
		http.StatusOK, http.StatusForbidden, http.StatusUnprocessableEntity), routes.list)
	rest.Register(api, operation(http.MethodGet, "/api/orders/{id}", "get-order", "One order", http.StatusOK,
		http.StatusNotFound, http.StatusUnprocessableEntity), routes.get)
	rest.Register(api, operation(http.MethodPut, "/api/orders/{id}", "update-order", "Change a placed order: what is absent stays",
		http.StatusOK, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity), routes.update)
	rest.Register(api, operation(http.MethodPost, "/api/orders/{id}/cancel", "cancel-order",
		"Cancel an order; a second time gives the same answer", http.StatusOK,
		http.StatusNotFound, http.StatusUnprocessableEntity), routes.cancel)
	rest.Register(api, operation(http.MethodDelete, "/api/orders/{id}", "delete-order",
		"Delete an order; one that is still placed is cancelled first", http.StatusNoContent,
		http.StatusNotFound, http.StatusUnprocessableEntity), routes.delete)
	rest.Describe(api, described())
}

func operation(method, path, id, summary string, status int, failures ...int) huma.Operation {
	return rest.SignedIn(huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary, Tags: []string{"orders"},
		DefaultStatus: status, Errors: failures,
	})
}
