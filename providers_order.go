package main

import (
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/ports/orderhttp"
	"github.com/millrace/millrace/router/orderconsumer"
)

// orderService is the order service, wired.
type orderService struct{ *service }

func newOrderInbox(db *sqldb.DB, now func() time.Time) *sqldb.Inbox {
	return sqldb.NewInbox(db, sqldb.InboxConfig{Consumer: orderconsumer.Customers, Gap: gapTimeout, Take: true, Now: now})
}

func newOrderService(
	r runtime, inbox *sqldb.Inbox, http orderhttp.Handlers, handlers orderconsumer.Handlers,
) (orderService, error) {
	s := r.service(migrations[serviceOrder], nil, natsjs.Events, natsjs.Poison, natsjs.Requeue)
	s.routes = func(api huma.API) { orderhttp.Register(api, http) }
	return orderService{s}, s.add(&consumer{
		name:   orderconsumer.Customers,
		topics: []string{"events.user.>", contract.RequeueTopic(orderconsumer.Customers)},
		inbox:  inbox,
		handle: orderconsumer.New(handlers).Handle,
	})
}
