package main_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each arrow is shown to refuse something, so that a rule that matches nothing cannot pass for a rule that holds.
func TestArrowsRefuseWhatIsForbidden(t *testing.T) {
	t.Parallel()
	const ours = module
	cases := []struct {
		arrow, file, imported string
	}{
		{"the kernel", "app/fault/fault.go", "github.com/google/uuid"},
		{"the kernel", "app/contract/events.go", ours + "app/order"},
		{"app imports", "app/order/order.go", "github.com/nats-io/nats.go"},
		{"app imports", "app/order/command/place.go", ours + "adapters/ordersql"},
		{"app imports", "app/user/query/list.go", ours + "router"},
		{"app imports", "app/order/command/place.go", ours + "app/user"},
		{"app does no I/O", "app/order/command/place.go", "database/sql"},
		{"app does no I/O", "app/user/command/register.go", "log/slog"},
		{"a domain knows no context", "app/order/order.go", "context"},
		{"a domain knows no context", "app/event/event.go", "encoding/json"},
		{"services never import", "adapters/ordersql/store.go", ours + "app/user"},
		{"services never import", "ports/eventhttp/list.go", ours + "adapters/ordersql"},
		{"services never import", "router/eventconsumer/history.go", ours + "app/order/command"},
		{"adapters import no port", "adapters/sqldb/db.go", ours + "ports/rest"},
		{"ports import no adapter", "ports/orderhttp/place.go", ours + "adapters/ordersql"},
		{"router imports no adapter", "router/relay.go", ours + "adapters/natsjs"},
		{"what all services share", "ports/rest/server.go", ours + "app/order"},
		{"what all services share", "adapters/sqldb/outbox.go", ours + "app/event"},
		{"what all services share", "router/relay.go", ours + "app/user/command"},
		{"programs beside", "process.go", ours + "bench/crash"},
		{"a technology stays", "router/router.go", "github.com/nats-io/nats.go/jetstream"},
		{"a technology stays", "ports/orderhttp/place.go", "database/sql"},
		{"a technology stays", "adapters/ordersql/store.go", "github.com/go-sql-driver/mysql"},
		{"wire is imported", "providers.go", "github.com/google/wire"},
		{"wire is imported", "adapters/wire.go", "github.com/google/wire"},
		{"production code imports nothing", "adapters/natsjs/subscriber.go", "testing"},
		{"production code imports nothing", "process.go", ours + "adapters/brokertest"},
		{"production code imports nothing", "ports/rest/server.go", "github.com/stretchr/testify/require"},
	}
	refused := map[string]bool{}
	for _, c := range cases {
		found := strings.Join(violations([]source{{path: c.file, imports: []string{c.imported}}}), "\n")
		require.Contains(t, found, c.arrow, "%s may not import %s", c.file, c.imported)
		for _, a := range arrows {
			refused[a.name] = refused[a.name] || strings.HasPrefix(a.name, c.arrow)
		}
	}
	for _, a := range arrows {
		require.True(t, refused[a.name], "nothing here shows that this arrow can refuse: %s", a.name)
	}
}

func TestArrowsAllowWhatIsNeeded(t *testing.T) {
	t.Parallel()
	const ours = module
	allowed := []source{
		{path: "app/contract/events.go", imports: []string{"encoding/json", "time", ours + "app/fault"}},
		{path: "app/order/command/place.go", imports: []string{"context", "github.com/google/uuid", ours + "app/order", ours + "app/fault"}},
		{path: "app/order/ordertest/suite.go", imports: []string{"testing", "github.com/stretchr/testify/require"}},
		{path: "adapters/sqldb/outbox.go", imports: []string{"database/sql", "github.com/go-sql-driver/mysql", ours + "router"}},
		{path: "adapters/ordersql/store_test.go", imports: []string{ours + "adapters/sqldb/sqldbtest", ours + "app/order/ordertest"}},
		{path: "ports/orderhttp/place.go", imports: []string{"github.com/danielgtaylor/huma/v2", ours + "app/order/command"}},
		{path: "ports/orderhttp/routes.go", imports: []string{ours + "ports/rest", ours + "app/principal"}},
		{path: "router/orderconsumer/users.go", imports: []string{"github.com/ThreeDotsLabs/watermill/message", ours + "app/order/command"}},
		{path: "process.go", imports: []string{ours + "adapters/natsjs", ours + "ports/rest", ours + "router"}},
		{path: "wire.go", imports: []string{"github.com/google/wire"}, tag: "//go:build wireinject"},
		{path: "bench/crash/main.go", imports: []string{"database/sql", "github.com/go-sql-driver/mysql", "github.com/nats-io/nats.go"}},
	}
	require.Empty(t, violations(allowed))
}

func TestArrowsAreReadFromRealFiles(t *testing.T) {
	t.Parallel()
	s, err := readSource("app/order/order.go", `// Package order.

//go:build wireinject && !linux

package order

import (
	"context"
	renamed "github.com/nats-io/nats.go"
)

type Order struct {
	ID string `+"`json:\"id\"`"+`
}
`)
	require.NoError(t, err)
	require.Equal(t, []string{"context", "github.com/nats-io/nats.go"}, s.imports)
	require.True(t, requires(s.tag, "wireinject"))
	require.False(t, requires("//go:build !wireinject", "wireinject"))
	require.False(t, requires("", "wireinject"))
	require.Contains(t, strings.Join(violations([]source{s}), "\n"), "a domain has no field tags")
}
