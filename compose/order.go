package compose

import (
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/adapters/ordersql"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/lifecycle"
	"github.com/millrace/millrace/ports/orderhttp"
	"github.com/millrace/millrace/process"
	"github.com/millrace/millrace/router/orderconsumer"
)

// Order describes the order service.
var Order = Description{
	Name: "order", Summary: "Publishes the events of orders and reads those of users, for its customers.",
	Migrations: ordersql.Migrations, Paths: []string{"/api/orders"}, Events: contract.OrderEvents(),
	Consumers: []ConsumerDescription{{Name: orderconsumer.Customers, From: "events.user.>"}},
}

// NewOrderInbox returns the inbox of the consumer of users' events. Each of them carries the whole state: a gap is passed over.
func NewOrderInbox(db *sqldb.DB, now func() time.Time) *sqldb.Inbox {
	return sqldb.NewInbox(db, sqldb.InboxConfig{Consumer: orderconsumer.Customers, Gap: gapTimeout, Take: true, Now: now})
}

// NewOrderService returns the order service.
func NewOrderService(
	r Runtime, inbox *sqldb.Inbox, http orderhttp.Handlers, handlers orderconsumer.Handlers,
) (*process.Service, error) {
	s, err := r.service(map[string]lifecycle.Consumer{
		orderconsumer.Customers: {Inbox: inbox, Handle: orderconsumer.New(handlers).Handle},
	})
	if err != nil {
		return nil, err
	}
	s.Routes = func(api huma.API) { orderhttp.Register(api, http) }
	return s, nil
}
