package eventsql_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/eventsql"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/command"
	"github.com/millrace/millrace/app/event/query"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
)

func TestRecordedUserEventsEndTheAccessOfOlderTokens(t *testing.T) {
	t.Parallel()
	now := time.Now()
	type step struct {
		kind    string
		version int64
		role    principal.Role
		change  func(m *event.Message)
	}
	const gone = principal.Role("")
	for name, c := range map[string]struct {
		steps []step
		want  principal.Role
	}{
		"a demotion": {[]step{{contract.TypeUserUpdated, 2, principal.RoleUser, nil}}, principal.RoleUser},
		"demotions out of order": {[]step{
			{contract.TypeUserUpdated, 3, principal.RoleUser, nil}, {contract.TypeUserUpdated, 2, principal.RoleOperator, nil},
		}, principal.RoleUser},
		"a deletion": {[]step{{contract.TypeUserDeleted, 2, principal.RoleAdmin, nil}}, gone},
		"a deletion before the change that came before it": {[]step{
			{contract.TypeUserDeleted, 3, principal.RoleUser, nil}, {contract.TypeUserUpdated, 2, principal.RoleAdmin, nil},
		}, gone},
		"a new account": {[]step{{contract.TypeUserCreated, 1, principal.RoleUser, nil}}, principal.RoleAdmin},
		"an event of another source": {[]step{{contract.TypeUserDeleted, 2, principal.RoleUser, func(m *event.Message) {
			m.Metadata[envelope.MetaSource] = "/elsewhere"
		}}}, principal.RoleAdmin},
		"an event of another key": {[]step{{contract.TypeUserDeleted, 2, principal.RoleUser, func(m *event.Message) {
			m.Metadata[envelope.MetaPartitionKey] = uuid.NewString()
		}}}, principal.RoleAdmin},
		"an event that cannot be read": {[]step{{contract.TypeUserDeleted, 2, principal.RoleUser, func(m *event.Message) {
			m.Data = []byte("{")
		}}}, principal.RoleAdmin},
		"an event of no user": {[]step{{contract.TypeUserDeleted, 2, principal.RoleUser, func(m *event.Message) {
			m.Data, m.Metadata[envelope.MetaPartitionKey] = []byte(`{"id":"none"}`), "none"
		}}}, principal.RoleAdmin},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sqldbtest.Each(t, eventsql.Migrations, func(t *testing.T, db *sqldb.DB) {
				store := eventsql.NewStore(db, sqldb.NewOutbox(db, sqldb.OutboxConfig{NewID: uuid.New, Now: time.Now}), envelope.RequeueKey{})
				record, access, id := command.NewRecordEventHandler(store, time.Now), sqldb.NewAccess(db, time.Hour), uuid.New()
				for _, s := range c.steps {
					user := contract.User{ID: id.String(), Role: string(s.role), Version: s.version, UpdatedAt: now}
					data, err := json.Marshal(user)
					require.NoError(t, err)
					e := envelope.Envelope{
						ID: uuid.NewString(), Type: s.kind, Source: contract.SourceUser, Key: id.String(), Sequence: s.version, Time: now,
					}
					m := event.Message{ID: e.ID, Subject: envelope.Topic(s.kind), Metadata: e.Metadata(), Data: data}
					if s.change != nil {
						s.change(&m)
					}
					for range 2 { // a redelivery changes nothing
						require.NoError(t, record.Handle(t.Context(), command.RecordEvent{Message: m}))
					}
				}
				_, err := command.NewAssignPositionsHandler(store, func() time.Time { return now.Add(time.Hour) }).Handle(t.Context())
				require.NoError(t, err)
				events, _, err := store.Events(t.Context(), query.EventFilter{}, query.Page{Limit: 10})
				require.NoError(t, err)
				require.Len(t, events, len(c.steps), "all of them are recorded")

				require.NoError(t, access.Load(t.Context()))
				p, err := access.Check(principal.Principal{UserID: id, Role: principal.RoleAdmin, IssuedAt: now.Add(-time.Minute)})
				require.Equal(t, c.want, p.Role)
				require.Equal(t, c.want == gone, fault.KindOf(err) == fault.Unauthenticated)
			})
		})
	}
}
