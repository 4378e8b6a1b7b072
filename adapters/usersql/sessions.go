package usersql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/user"
)

const sessionColumns = "id, user_id, generation, issued, created_at, last_used_at, expires_at, agent, address"

// Sessions implements query.SessionStore.
func (s *Store) Sessions(
	ctx context.Context, userID uuid.UUID, at time.Time, behind *uuid.UUID, limit int,
) (sessions []user.Session, more bool, err error) {
	return sqldb.ReadPage(limit, func(last *user.Session, n int) (*sqldb.Rows, error) {
		if last != nil {
			behind = &last.ID
		}
		where, args := "user_id = ? AND expires_at > ?", []any{userID[:], sqldb.Micros(at)}
		if behind != nil {
			where, args = where+" AND id < ?", append(args, behind[:])
		}
		return s.db.Query(ctx, "SELECT "+sessionColumns+" FROM sessions WHERE "+where+" ORDER BY id DESC LIMIT ?", append(args, n)...)
	}, func(r sqldb.Scanner) (one user.Session, size int, err error) {
		one, err = scanSession(r)
		return one, 300 + len(one.Client.Agent) + len(one.Client.Address), err
	})
}

// RefreshToken implements command.Store.
func (s *Store) RefreshToken(ctx context.Context, hash user.RefreshTokenHash) (session uuid.UUID, generation int64, err error) {
	err = s.db.QueryRow(ctx, "SELECT session_id, generation FROM refresh_tokens WHERE hash = ?", hash[:]).Scan(&session, &generation)
	if errors.Is(err, sql.ErrNoRows) {
		return uuid.Nil, 0, user.ErrRefreshToken
	}
	if err != nil {
		return uuid.Nil, 0, fmt.Errorf("read a refresh token: %w", err)
	}
	return session, generation, nil
}

// InsertSession implements command.Tx.
func (t tx) InsertSession(ctx context.Context, s user.Session) error {
	_, err := t.Exec(ctx, "INSERT INTO sessions ("+sessionColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		s.ID[:], s.UserID[:], s.Generation, s.Issued, sqldb.Micros(s.CreatedAt), sqldb.Micros(s.LastUsedAt), sqldb.Micros(s.ExpiresAt),
		s.Client.Agent, s.Client.Address)
	return wrap("insert a session", err)
}

// InsertRefreshToken implements command.Tx.
func (t tx) InsertRefreshToken(ctx context.Context, hash user.RefreshTokenHash, s user.Session) error {
	_, err := t.Exec(ctx, "INSERT INTO refresh_tokens (hash, session_id, generation, expires_at) VALUES (?, ?, ?, ?)",
		hash[:], s.ID[:], s.Generation, sqldb.Micros(s.Ends()))
	return wrap("insert a refresh token", err)
}

// SessionForUpdate implements command.Tx.
func (t tx) SessionForUpdate(ctx context.Context, id uuid.UUID) (user.Session, error) {
	s, err := scanSession(t.QueryRow(ctx, "SELECT "+sessionColumns+" FROM sessions WHERE id = ?"+t.dialect.ForUpdate(), id[:]))
	if errors.Is(err, sql.ErrNoRows) {
		return user.Session{}, user.ErrSessionNotFound
	}
	return s, err
}

// UpdateSession implements command.Tx.
func (t tx) UpdateSession(ctx context.Context, s user.Session) error {
	_, err := t.Exec(ctx,
		"UPDATE sessions SET generation = ?, issued = ?, last_used_at = ?, expires_at = ?, agent = ?, address = ? WHERE id = ?",
		s.Generation, s.Issued, sqldb.Micros(s.LastUsedAt), sqldb.Micros(s.ExpiresAt), s.Client.Agent, s.Client.Address, s.ID[:])
	return wrap("update a session", err)
}

// EndSession implements command.Tx.
func (t tx) EndSession(ctx context.Context, id uuid.UUID) error {
	_, err := t.Exec(ctx, "DELETE FROM sessions WHERE id = ?", id[:])
	return wrap("delete a session", err)
}

// EndSessions implements command.Tx. The rows go by their primary key, as EndSession's do: no other way locks rows of others.
func (t tx) EndSessions(ctx context.Context, userID uuid.UUID, keep int, except uuid.UUID) error {
	rows, err := t.Query(ctx, "SELECT id FROM sessions WHERE user_id = ? AND id <> ? ORDER BY id DESC LIMIT ? OFFSET ?",
		userID[:], except[:], math.MaxInt32, keep)
	if err != nil {
		return wrap("read sessions", err)
	}
	ids, err := sqldb.Collect(rows, scanID)
	if err != nil {
		return wrap("read sessions", err)
	}
	for _, id := range ids {
		if err := t.EndSession(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func scanID(r sqldb.Scanner) (id uuid.UUID, err error) {
	err = r.Scan(&id)
	return id, err
}

func scanSession(r sqldb.Scanner) (s user.Session, err error) {
	var createdAt, lastUsedAt, expiresAt int64
	err = r.Scan(&s.ID, &s.UserID, &s.Generation, &s.Issued, &createdAt, &lastUsedAt, &expiresAt, &s.Client.Agent, &s.Client.Address)
	if err != nil {
		return user.Session{}, fmt.Errorf("read a session: %w", err)
	}
	s.CreatedAt, s.LastUsedAt, s.ExpiresAt = sqldb.FromMicros(createdAt), sqldb.FromMicros(lastUsedAt), sqldb.FromMicros(expiresAt)
	return s, nil
}
