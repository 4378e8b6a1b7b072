//go:build wireinject

package main

import (
	"github.com/google/wire"

	"github.com/millrace/millrace/adapters/argon"
	"github.com/millrace/millrace/adapters/eventsql"
	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/adapters/ordersql"
	"github.com/millrace/millrace/adapters/usersql"
	eventcommand "github.com/millrace/millrace/app/event/command"
	eventquery "github.com/millrace/millrace/app/event/query"
	ordercommand "github.com/millrace/millrace/app/order/command"
	orderquery "github.com/millrace/millrace/app/order/query"
	usercommand "github.com/millrace/millrace/app/user/command"
	userquery "github.com/millrace/millrace/app/user/query"
	"github.com/millrace/millrace/compose"
	"github.com/millrace/millrace/ports/eventhttp"
	"github.com/millrace/millrace/ports/orderhttp"
	"github.com/millrace/millrace/ports/userhttp"
	"github.com/millrace/millrace/router/eventconsumer"
	"github.com/millrace/millrace/router/orderconsumer"
)

// runtimeSet is what each service has: database, connection to the broker, outbox, relay and router.
var runtimeSet = wire.NewSet(
	compose.NewClock, compose.NewIDs, compose.NewCursors, compose.NewDatabase, compose.NewLimits, compose.NewAccess, compose.NewEdge,
	compose.NewBroker, compose.NewOutbox, compose.NewRelay, compose.NewFailures, compose.NewRequeueKey, compose.NewRouter,
	wire.Struct(new(compose.Runtime), "*"),
)

var userSet = wire.NewSet(
	usersql.NewStore,
	wire.Bind(new(usercommand.Store), new(*usersql.Store)), wire.Bind(new(userquery.Store), new(*usersql.Store)),
	compose.NewHasher, wire.Bind(new(usercommand.Hasher), new(*argon.Hasher)),
	compose.NewKeyring, jwks.NewSigner, wire.Bind(new(usercommand.TokenIssuer), new(*jwks.Signer)),
	usercommand.NewRegisterUserHandler, usercommand.NewUpdateUserHandler, usercommand.NewChangePasswordHandler,
	usercommand.NewDeleteUserHandler,
	compose.NewGuard, compose.NewRandom, usercommand.NewGranter, usercommand.NewSignInHandler, usercommand.NewRefreshSessionHandler,
	usercommand.NewSignOutHandler, usercommand.NewEndSessionHandler, usercommand.NewEndSessionsHandler,
	usercommand.NewEnsureAdminHandler, usercommand.NewReplaceDrawnPasswordHandler, compose.NewFirstAdmin,
	userquery.NewUserByIDHandler, userquery.NewUsersHandler, userquery.NewSessionsHandler,
	wire.Bind(new(userquery.SessionStore), new(*usersql.Store)),
	wire.Bind(new(userhttp.KeySet), new(*jwks.Keyring)), wire.Struct(new(userhttp.Handlers), "*"), compose.NewUserService,
)

var orderSet = wire.NewSet(
	compose.NewOrderInbox, ordersql.NewStore,
	wire.Bind(new(ordercommand.Store), new(*ordersql.Store)), wire.Bind(new(ordercommand.Inbox), new(*ordersql.Store)),
	wire.Bind(new(orderquery.Store), new(*ordersql.Store)),
	ordercommand.NewPlaceOrderHandler, ordercommand.NewUpdateOrderHandler, ordercommand.NewCancelOrderHandler,
	ordercommand.NewDeleteOrderHandler, orderquery.NewOrderByIDHandler, orderquery.NewOrdersHandler,
	ordercommand.NewRecordCustomerHandler, ordercommand.NewForgetCustomerHandler, ordercommand.NewPassOverHandler,
	wire.Struct(new(orderconsumer.Handlers), "*"), wire.Struct(new(orderhttp.Handlers), "*"), compose.NewOrderService,
)

var eventSet = wire.NewSet(
	eventsql.NewStore,
	wire.Bind(new(eventcommand.Store), new(*eventsql.Store)), wire.Bind(new(eventquery.Store), new(*eventsql.Store)),
	eventcommand.NewRecordEventHandler, eventcommand.NewStorePoisonHandler, eventcommand.NewAssignPositionsHandler,
	eventcommand.NewRequeuePoisonHandler, eventquery.NewEventsHandler, compose.NewEventByIDHandler,
	eventquery.NewPoisonHandler, eventquery.NewPoisonByIDHandler,
	compose.NewSequencer, eventconsumer.New, wire.Struct(new(eventhttp.Handlers), "*"), compose.NewEventService,
)
