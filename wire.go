//go:build wireinject

package main

import (
	"context"

	"github.com/google/wire"
)

// initializeUser builds the user service.
func initializeUser(ctx context.Context, p platform) (userService, func(), error) {
	panic(wire.Build(wire.Value(serviceName(serviceUser)), runtimeSet, userSet))
}

// initializeOrder builds the order service.
func initializeOrder(ctx context.Context, p platform) (orderService, func(), error) {
	panic(wire.Build(wire.Value(serviceName(serviceOrder)), runtimeSet, routingSet, orderSet))
}

// initializeEvent builds the event service.
func initializeEvent(ctx context.Context, p platform) (eventService, func(), error) {
	panic(wire.Build(wire.Value(serviceName(serviceEvent)), runtimeSet, routingSet, eventSet))
}

// initializeAll builds all three. They share nothing but the process.
func initializeAll(ctx context.Context, p platform) (allServices, func(), error) {
	panic(wire.Build(initializeUser, initializeOrder, initializeEvent, wire.Struct(new(allServices), "*")))
}
