package ordersql_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/ordersql"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/app/principal"
)

// The gap is none here, so that an event which overtook others is taken at once and they come late.
func TestUserEventsEndTheAccessOfOlderTokensInWhateverOrderTheyCome(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, ordersql.Migrations, func(t *testing.T, db *sqldb.DB) {
		outbox := sqldb.NewOutbox(db, sqldb.OutboxConfig{Source: contract.SourceOrder, NewID: uuid.New, Now: time.Now})
		inbox := sqldb.NewInbox(db, sqldb.InboxConfig{Consumer: "order-customers", Take: true, Now: time.Now})
		require.NoError(t, inbox.Begin(t.Context(), true))
		store := ordersql.NewStore(db, outbox, inbox)
		record, forget := command.NewRecordCustomerHandler(store), command.NewForgetCustomerHandler(store, time.Now)
		access := sqldb.NewAccess(db, time.Hour)
		id, changedAt := uuid.New(), time.Now()
		token := principal.Principal{UserID: id, Role: principal.RoleAdmin, IssuedAt: changedAt.Add(-time.Minute)}

		event := func(version int64, role principal.Role) (envelope.Envelope, contract.User) {
			return envelope.Envelope{ID: uuid.NewString(), Source: contract.SourceUser, Key: id.String(), Sequence: version},
				contract.User{ID: id.String(), Role: string(role), Version: version, UpdatedAt: changedAt}
		}
		recorded := func(version int64, role principal.Role) (principal.Principal, error) {
			e, u := event(version, role)
			require.Eventually(t, func() bool {
				err := record.Handle(t.Context(), command.RecordCustomer{Event: e, User: u})
				return err == nil
			}, time.Minute, time.Millisecond)
			require.NoError(t, access.Poll(t.Context()))
			return access.Check(token)
		}
		p, err := recorded(1, principal.RoleUser)
		require.NoError(t, err)
		require.Equal(t, principal.RoleAdmin, p.Role, "of a new account there is no older token")
		p, err = recorded(3, principal.RoleUser)
		require.NoError(t, err)
		require.Equal(t, principal.RoleUser, p.Role)
		p, err = recorded(2, principal.RoleAdmin)
		require.NoError(t, err)
		require.Equal(t, principal.RoleUser, p.Role, "a late event takes nothing back")

		e, u := event(5, principal.RoleUser)
		require.Eventually(t, func() bool {
			return forget.Handle(t.Context(), command.ForgetCustomer{Event: e, User: u}) == nil
		}, time.Minute, time.Millisecond)
		_, err = recorded(4, principal.RoleAdmin)
		require.Equal(t, fault.Unauthenticated, fault.KindOf(err), "a deletion stays")
	})
}
