package eventsql_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/adapters/eventsql"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event/eventtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	t.Parallel()
	eventtest.Run(t, func(t *testing.T, test func(t *testing.T, b eventtest.Bench)) {
		sqldbtest.Each(t, eventsql.Migrations, func(t *testing.T, db *sqldb.DB) {
			outbox := sqldb.NewOutbox(db, sqldb.OutboxConfig{
				Source: contract.SourceEvent, NewID: func() uuid.UUID { return uuid.Must(uuid.NewV7()) }, Now: time.Now,
			})
			key := envelope.NewRequeueKey([]byte("a key of this test"))
			test(t, eventtest.Bench{Store: eventsql.NewStore(db, outbox, key), Outbox: outbox, Key: key})
		})
	})
}
