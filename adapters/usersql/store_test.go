package usersql_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/adapters/usersql"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/app/user/usertest"
)

func TestStorePassesTheSuite(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		usertest.Run(t, func(t *testing.T) usertest.Fixture { return fixture(t, "sqlite:") })
	})
	t.Run("mysql", func(t *testing.T) {
		t.Parallel()
		server := sqldbtest.MySQL(t)
		usertest.Run(t, func(t *testing.T) usertest.Fixture { return fixture(t, server) })
	})
}

func fixture(t *testing.T, url string) usertest.Fixture {
	t.Helper()
	db := sqldbtest.Open(t, url, usersql.Migrations)
	outbox := sqldb.NewOutbox(db, sqldb.OutboxConfig{
		Source: contract.SourceUser,
		NewID:  func() uuid.UUID { return uuid.Must(uuid.NewV7()) },
		Now:    time.Now,
	})
	return usertest.Fixture{
		Store:     usersql.NewStore(db, outbox),
		Limits:    func(now func() time.Time) command.Limits { return sqldb.NewLimits(db, []byte("key"), now) },
		Published: func(t *testing.T) []envelope.Envelope { return published(t, outbox) },
	}
}

// published reads the whole outbox: no relay empties it here.
func published(t *testing.T, outbox *sqldb.Outbox) (events []envelope.Envelope) {
	t.Helper()
	pending, _, err := outbox.Pending(t.Context(), envelope.Prefixes(), 0, 100_000)
	require.NoError(t, err)
	for _, p := range pending {
		metadata, err := p.Metadata()
		require.NoError(t, err)
		events = append(events, envelope.Parse(p.MessageID, metadata, p.Payload))
	}
	return events
}
