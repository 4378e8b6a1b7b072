package compose

import (
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/config"
	"github.com/millrace/millrace/ports/orderhttp"
	"github.com/millrace/millrace/process"
	"github.com/millrace/millrace/router/orderconsumer"
)

// OrderService is the order service, wired.
type OrderService struct{ *process.Service }

func NewOrderInbox(db *sqldb.DB, now func() time.Time) *sqldb.Inbox {
	return sqldb.NewInbox(db, sqldb.InboxConfig{Consumer: orderconsumer.Customers, Gap: gapTimeout, Take: true, Now: now})
}

func NewOrderService(
	r Runtime, inbox *sqldb.Inbox, http orderhttp.Handlers, handlers orderconsumer.Handlers,
) (OrderService, error) {
	s := r.service(migrations[config.ServiceOrder], nil, natsjs.Events, natsjs.Poison, natsjs.Requeue)
	s.Routes = func(api huma.API) { orderhttp.Register(api, http) }
	return OrderService{s}, s.AddConsumers(&process.Consumer{
		Name:   orderconsumer.Customers,
		Topics: []string{"events.user.>", contract.RequeueTopic(orderconsumer.Customers)},
		Inbox:  inbox,
		Handle: orderconsumer.New(handlers).Handle,
	})
}
