package sqldb_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
)

const tokenLasts = 15 * time.Minute

// demotion is when the users of these tests were demoted.
var demotion = time.Date(2030, 1, 2, 3, 4, 5, 700_000_000, time.UTC)

func userAt(id uuid.UUID, version int64, role principal.Role) contract.User {
	return contract.User{ID: id.String(), Role: string(role), Version: version, UpdatedAt: demotion}
}

func note(t *testing.T, db *sqldb.DB, u contract.User, deleted bool) {
	t.Helper()
	require.NoError(t, db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		return sqldb.NoteAccess(ctx, tx, u, deleted)
	}))
}

// admin is a caller whose token of that time says so.
func admin(id uuid.UUID, issued time.Time) principal.Principal {
	return principal.Principal{UserID: id, Role: principal.RoleAdmin, Session: "s", IssuedAt: issued}
}

func loaded(t *testing.T, db *sqldb.DB) *sqldb.Access {
	t.Helper()
	a := sqldb.NewAccess(db, tokenLasts)
	require.NoError(t, a.Load(t.Context()))
	return a
}

// roleOf is what an admin's token, issued long before any change, is worth; empty where it is refused.
func roleOf(t *testing.T, a *sqldb.Access, id uuid.UUID) principal.Role {
	t.Helper()
	p, err := a.Check(admin(id, demotion.Add(-time.Minute)))
	if err != nil {
		require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
		require.Zero(t, p)
	}
	return p.Role
}

func TestAccess(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		for name, check := range map[string]func(t *testing.T, id uuid.UUID){
			"who never changed is who the token says": func(t *testing.T, id uuid.UUID) {
				p, err := loaded(t, db).Check(admin(id, demotion))
				require.NoError(t, err)
				require.Equal(t, admin(id, demotion), p)
			},
			"a token from before a demotion is worth the new role, one from after it what it says": func(t *testing.T, id uuid.UUID) {
				note(t, db, userAt(id, 2, principal.RoleUser), false)
				a := loaded(t, db)
				for after, want := range map[time.Duration]principal.Role{
					-time.Hour: principal.RoleUser, -time.Second: principal.RoleUser, 0: principal.RoleUser,
					time.Second: principal.RoleUser, // from a clock that is ahead
					time.Minute: principal.RoleAdmin,
				} {
					p, err := a.Check(admin(id, demotion.Add(after).Truncate(time.Second)))
					require.NoError(t, err)
					require.Equal(t, want, p.Role, after)
					require.Equal(t, "s", p.Session)
				}
			},
			"who is deleted has no access, whenever the token was issued": func(t *testing.T, id uuid.UUID) {
				note(t, db, userAt(id, 2, principal.RoleUser), true)
				for _, issued := range []time.Time{demotion.Add(-time.Hour), demotion.Add(time.Hour)} {
					_, err := loaded(t, db).Check(admin(id, issued))
					require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
				}
			},
			"a late event takes nothing back": func(t *testing.T, id uuid.UUID) {
				note(t, db, userAt(id, 5, principal.RoleOperator), false)
				note(t, db, userAt(id, 4, principal.RoleUser), false)
				require.Equal(t, principal.RoleOperator, roleOf(t, loaded(t, db), id))
			},
			"a deletion stays, whatever comes later": func(t *testing.T, id uuid.UUID) {
				note(t, db, userAt(id, 3, principal.RoleUser), true)
				note(t, db, userAt(id, 2, principal.RoleOperator), false)
				note(t, db, userAt(id, 9, principal.RoleAdmin), false)
				require.Empty(t, roleOf(t, loaded(t, db), id))
			},
			"a role that is none gives no rights": func(t *testing.T, id uuid.UUID) {
				note(t, db, userAt(id, 2, principal.Role(strings.Repeat("admin", 100))), false)
				p, err := loaded(t, db).Check(admin(id, demotion))
				require.NoError(t, err)
				require.False(t, p.Admin())
				require.False(t, p.Role.Valid())
			},
			"a change of another transaction's is known with the next poll": func(t *testing.T, id uuid.UUID) {
				a := loaded(t, db)
				note(t, db, userAt(id, 2, principal.RoleUser), false)
				require.Equal(t, principal.RoleAdmin, roleOf(t, a, id))
				require.NoError(t, a.Poll(t.Context()))
				require.Equal(t, principal.RoleUser, roleOf(t, a, id))
				note(t, db, userAt(id, 3, principal.RoleUser), true)
				require.NoError(t, a.Poll(t.Context()))
				require.Empty(t, roleOf(t, a, id))
			},
			"one that is committed after a later one was read is known too": func(t *testing.T, id uuid.UUID) {
				a := loaded(t, db)
				noted, commit, done := make(chan struct{}), make(chan struct{}), make(chan error)
				go func() {
					done <- db.Atomically(context.Background(), func(ctx context.Context, tx *sqldb.Tx) error {
						err := sqldb.NoteAccess(ctx, tx, userAt(id, 2, principal.RoleUser), true)
						close(noted)
						<-commit
						return err
					})
				}()
				<-noted
				if db.Dialect() == sqldb.MySQL { // SQLite has one writer: nothing is noted later and committed earlier
					note(t, db, userAt(uuid.New(), 2, principal.RoleUser), true)
				}
				require.NoError(t, a.Poll(t.Context()))
				require.Equal(t, principal.RoleAdmin, roleOf(t, a, id))
				close(commit)
				require.NoError(t, <-done)
				require.NoError(t, a.Poll(t.Context()))
				require.Empty(t, roleOf(t, a, id))
			},
			"what is rolled back never was": func(t *testing.T, id uuid.UUID) {
				require.ErrorIs(t, db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
					require.NoError(t, sqldb.NoteAccess(ctx, tx, userAt(id, 2, principal.RoleUser), true))
					return context.Canceled
				}), context.Canceled)
				require.Equal(t, principal.RoleAdmin, roleOf(t, loaded(t, db), id))
			},
		} {
			t.Run(name, func(t *testing.T) {
				check(t, uuid.New())
			})
		}
	})
}

func TestOldChangesOfAccessAreForgotten(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		id := uuid.New()
		note(t, db, userAt(id, 2, principal.RoleUser), false)
		n, err := sqldb.NewAccess(db, tokenLasts).Purge(t.Context(), 10)
		require.NoError(t, err)
		require.Zero(t, n, "a token may be older than that")

		_, err = sqldb.NewAccess(db, -time.Hour).Purge(t.Context(), 10) // as if every token ended an hour before the change
		require.NoError(t, err)
		a := loaded(t, db)
		require.Equal(t, principal.RoleAdmin, roleOf(t, a, id))
	})
}

func TestEachProcessPollsAndKeepsWhatItKnows(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		a, id := loaded(t, db), uuid.New()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		note(t, db, userAt(id, 2, principal.RoleUser), true)
		require.Eventually(t, func() bool { return roleOf(t, a, id) == "" }, waitFor, tick)
		stop()
		require.NoError(t, <-ended)

		gone, cancel := context.WithCancel(t.Context())
		cancel()
		require.Error(t, a.Poll(gone))
		require.Error(t, a.Load(gone))
		require.Empty(t, roleOf(t, a, id), "a database that is away gives nobody access again")
	})
}

// Lists that are slow to read hold all readers; the changes of access are read on connections of their own.
func TestAccessEndsWhileAllReadersAreBusy(t *testing.T) {
	t.Parallel()
	for dialect, url := range map[string]func(*testing.T) string{
		"sqlite": func(*testing.T) string { return "sqlite:" }, "mysql": sqldbtest.MySQL,
	} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			const readers = 4
			db := sqldbtest.OpenConfig(t, sqldb.Config{URL: url(t), Readers: readers, QueryFor: time.Minute}, things)
			a, id := loaded(t, db), uuid.New()
			for range readers {
				rows, err := db.Query(context.WithoutCancel(t.Context()), "SELECT 1 UNION ALL SELECT 2") //nolint:rowserrcheck // nobody reads them
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, rows.Close()) })
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- a.Run(ctx) }()
			note(t, db, userAt(id, 2, principal.RoleUser), true)
			require.Eventually(t, func() bool { return roleOf(t, a, id) == "" }, 5*time.Second, tick)
			stop()
			require.NoError(t, <-ended)
		})
	}
}

// Who may have been deleted in the meantime is not let in.
func TestTokensAreRefusedWhileChangesOfAccessCannotBeRead(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		rename := func(from, to string) {
			require.NoError(t, db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				_, err := tx.Exec(ctx, "ALTER TABLE "+from+" RENAME TO "+to)
				return err
			}))
		}
		a, id := loaded(t, db), uuid.New()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		_, err := a.Check(admin(id, demotion))
		require.NoError(t, err)
		rename("access_changes", "access_changes_gone")
		require.Eventually(t, func() bool {
			p, err := a.Check(admin(id, demotion))
			return fault.KindOf(err) == fault.Unavailable && p == principal.Principal{}
		}, waitFor, tick)
		rename("access_changes_gone", "access_changes")
		require.Eventually(t, func() bool {
			_, err := a.Check(admin(id, demotion))
			return err == nil
		}, waitFor, tick)
		stop()
		require.NoError(t, <-ended)
	})
}
