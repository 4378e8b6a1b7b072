package usersql_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/adapters/usersql"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
)

func TestPurgeTakesInSmallStepsWhatIsOverAndNothingElse(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, usersql.Migrations, func(t *testing.T, db *sqldb.DB) {
		store, began := usersql.NewStore(db, nil), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		userID, tokens := uuid.New(), []user.RefreshToken{}
		for i := range 5 {
			s := user.BeginSession(uuid.Must(uuid.NewV7()), userID, user.Client{}, began.Add(time.Duration(i)*time.Hour))
			token, err := user.DrawRefreshToken(rand.Reader)
			require.NoError(t, err)
			tokens = append(tokens, token)
			require.NoError(t, store.Atomically(t.Context(), func(ctx context.Context, tx command.Tx) error {
				require.NoError(t, tx.InsertSession(ctx, s))
				return tx.InsertRefreshToken(ctx, token.Hash(), s)
			}))
		}
		left := func() (sessions, kept int) {
			var err error
			require.NoError(t, db.QueryRow(t.Context(), "SELECT COUNT(*) FROM sessions").Scan(&sessions))
			for _, token := range tokens {
				if _, _, err = store.RefreshToken(t.Context(), token.Hash()); err == nil {
					kept++
				}
			}
			return sessions, kept
		}
		purged := func(at time.Time) (sizes []int) {
			p := sqldb.NewPurge(db, func() time.Time { return at }, usersql.Expiring...)
			for {
				n, err := p.Step(t.Context(), 2)
				require.NoError(t, err)
				if sizes = append(sizes, n); n < 2 {
					return sizes
				}
			}
		}
		require.Equal(t, []int{0}, purged(began.Add(user.SessionIdle-time.Second)))
		require.Equal(t, []int{2, 1}, purged(began.Add(user.SessionIdle+2*time.Hour)))
		sessions, kept := left()
		require.Equal(t, []int{2, 5}, []int{sessions, kept}, "tokens of a session that could have lasted longer stay")
		require.Equal(t, []int{2, 2, 0}, purged(began.Add(user.SessionLasts+3*time.Hour)))
		sessions, kept = left()
		require.Equal(t, []int{0, 1}, []int{sessions, kept})
	})
}
