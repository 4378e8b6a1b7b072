//go:build wireinject

package main

import (
	"context"

	"github.com/google/wire"

	"github.com/millrace/millrace/compose"
	"github.com/millrace/millrace/process"
)

// injectors build the services, by name.
var injectors = compose.Injectors{
	compose.User.Name:  initializeUser,
	compose.Order.Name: initializeOrder,
	compose.Event.Name: initializeEvent,
}

// initializeUser builds the user service.
func initializeUser(ctx context.Context, p compose.Platform) (*process.Service, func(), error) {
	panic(wire.Build(wire.Value(compose.User), runtimeSet, userSet))
}

// initializeOrder builds the order service.
func initializeOrder(ctx context.Context, p compose.Platform) (*process.Service, func(), error) {
	panic(wire.Build(wire.Value(compose.Order), runtimeSet, orderSet))
}

// initializeEvent builds the event service.
func initializeEvent(ctx context.Context, p compose.Platform) (*process.Service, func(), error) {
	panic(wire.Build(wire.Value(compose.Event), runtimeSet, eventSet))
}
