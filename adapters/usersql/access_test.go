package usersql_test

import (
	"context"
	"testing"
	"time"

	"github.com/millrace/millrace/app/limit"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/adapters/usersql"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
)

// hasher costs nothing.
type hasher struct{}

func (hasher) Room(limit.Origin) error                                            { return nil }
func (hasher) Hash(context.Context, limit.Origin, string) (string, error)         { return "hash", nil }
func (hasher) Verify(context.Context, limit.Origin, string, string) (bool, error) { return true, nil }

func TestChangesAndDeletionsEndTheAccessOfOlderTokens(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, usersql.Migrations, func(t *testing.T, db *sqldb.DB) {
		outbox := sqldb.NewOutbox(db, sqldb.OutboxConfig{Source: contract.SourceUser, NewID: uuid.New, Now: time.Now})
		store := usersql.NewStore(db, outbox)
		access := sqldb.NewAccess(db, time.Hour)
		root := principal.Principal{UserID: uuid.New(), Role: principal.RoleAdmin}
		applicant, err := user.Apply("ada@example.org", "Ada", "correct horse battery")
		require.NoError(t, err)
		u, created := applicant.Register(uuid.New(), "hash", principal.RoleOperator, time.Now())
		require.NoError(t, store.Atomically(t.Context(), func(ctx context.Context, tx command.Tx) error {
			require.NoError(t, tx.Insert(ctx, u))
			return tx.Publish(ctx, u.Sequence, created)
		}))
		token := principal.Principal{UserID: u.ID, Role: principal.RoleOperator, IssuedAt: time.Now().Truncate(time.Second)}
		check := func() (principal.Principal, error) {
			require.NoError(t, access.Poll(t.Context()))
			return access.Check(token)
		}
		p, err := check()
		require.NoError(t, err)
		require.Equal(t, token, p)

		role := principal.RoleUser
		guard := command.NewGuard(command.GuardConfig{Known: store, Hasher: hasher{}, Now: time.Now})
		update := command.NewUpdateUserHandler(store, hasher{}, guard, time.Now)
		_, err = update.Handle(t.Context(), command.UpdateUser{Caller: root, ID: u.ID, Role: &role})
		require.NoError(t, err)
		p, err = check()
		require.NoError(t, err)
		require.Equal(t, role, p.Role)

		require.NoError(t, command.NewDeleteUserHandler(store, time.Now).Handle(t.Context(), command.DeleteUser{Caller: root, ID: u.ID}))
		_, err = check()
		require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
	})
}
