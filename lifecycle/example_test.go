package lifecycle_test

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/lifecycle"
)

// alwaysThere stands in for a database; *sqldb.DB of adapters/sqldb is one.
type alwaysThere struct{}

func (alwaysThere) Ping(context.Context) error     { return nil }
func (alwaysThere) Writable(context.Context) error { return nil }

// A service that prepares its database and runs one worker. With a relay and consumers it needs a broker, too.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	service, err := lifecycle.New(lifecycle.Config{
		Name:     "shipping",
		Database: alwaysThere{},
		Prepare:  []func(context.Context) error{func(context.Context) error { fmt.Println("migrated"); return nil }},
		Workers: []lifecycle.Worker{{Name: "labels", Run: func(ctx context.Context) error {
			fmt.Println("printing labels")
			stop() // in a program: signal.NotifyContext
			<-ctx.Done()
			return nil
		}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := service.Run(ctx); err != nil {
		fmt.Println(err)
	}
	for _, c := range service.Checks() {
		fmt.Println(c.Name, c.Probe(context.Background()) == nil)
	}
	// Output:
	// migrated
	// printing labels
	// shipping_database true
	// shipping_writes true
	// shipping_workers true
}

// What is missing from a Config is named, all of it at once.
func ExampleNew() {
	_, err := lifecycle.New(lifecycle.Config{Name: "shipping", Streams: []string{"EVENTS"}, Workers: []lifecycle.Worker{{Name: "labels"}}})
	fmt.Println(err)
	// Output:
	// service "shipping": Config.Database is nil
	// service "shipping": Config.Broker is nil, and there are streams, a relay or consumers
	// service "shipping": worker "labels" needs a Name and Run
}
