package router_test

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/memory"
	"github.com/millrace/millrace/router"
)

// A consumer without a poison queue, on the broker in memory. One that gives up needs Config.Failures.
func ExampleRouter() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	broker := memory.New(memory.Config{})
	r, err := router.New(router.Config{Service: "shipping", Probe: func(context.Context) error { return nil }})
	if err != nil {
		fmt.Println(err)
		return
	}
	handled := make(chan string, 1)
	handle := func(msg *message.Message) error {
		handled <- string(msg.Payload)
		return nil
	}
	topics := []string{"events.order.>"}
	if _, err := broker.EnsureConsumer(ctx, memory.ConsumerSpec{Name: "shipping-orders", Filters: topics}); err != nil {
		fmt.Println(err)
		return
	}
	subscriber := broker.Subscriber(memory.SubscriberConfig{Consumer: "shipping-orders"})
	if err := r.AddConsumer("shipping-orders", topics, subscriber, handle, router.NeverPoison()); err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	if err := broker.Publish("events.order.placed.v1", message.NewMessage(uuid.NewString(), []byte("an order"))); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-handled)
	stop()
	fmt.Println(<-done)
	// Output:
	// an order
	// <nil>
}
