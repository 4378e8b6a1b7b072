package process

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/config"
)

// A burst of sign-ins keeps three times 46 MiB alive: a heap of five times that would be more than the containers of small systems have.
func TestGCPercentIsLowerWherePasswordsAreHashed(t *testing.T) {
	t.Parallel()
	server := config.Config{Dialect: sqldb.MySQL, Broker: config.BrokerNATS}
	for service, want := range map[string]int{"user": 100, "order": 400, "event": 400} {
		server.Services = []string{service}
		require.Equal(t, want, gcPercentOf(server), service)
	}
	server.Services = []string{"user", "order", "event"}
	require.Equal(t, 100, gcPercentOf(server))
	require.Equal(t, 200, gcPercentOf(config.Config{Services: server.Services}), "embedded")
}
