//go:build wireinject

package main

import (
	"context"

	"github.com/google/wire"

	"github.com/millrace/millrace/compose"
	"github.com/millrace/millrace/config"
)

// initializeUser builds the user service.
func initializeUser(ctx context.Context, p compose.Platform) (compose.UserService, func(), error) {
	panic(wire.Build(wire.Value(compose.ServiceName(config.ServiceUser)), runtimeSet, userSet))
}

// initializeOrder builds the order service.
func initializeOrder(ctx context.Context, p compose.Platform) (compose.OrderService, func(), error) {
	panic(wire.Build(wire.Value(compose.ServiceName(config.ServiceOrder)), runtimeSet, routingSet, orderSet))
}

// initializeEvent builds the event service.
func initializeEvent(ctx context.Context, p compose.Platform) (compose.EventService, func(), error) {
	panic(wire.Build(wire.Value(compose.ServiceName(config.ServiceEvent)), runtimeSet, routingSet, eventSet))
}
