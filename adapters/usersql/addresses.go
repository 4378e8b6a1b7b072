package usersql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/user/command"
)

// SignedInFrom implements command.KnownAddresses.
func (s *Store) SignedInFrom(ctx context.Context, mark command.AddressMark, at time.Time) (bool, error) {
	var known int
	err := s.db.QueryRow(ctx, "SELECT 1 FROM sign_in_addresses WHERE mark = ? AND expires_at > ?", mark[:], sqldb.Micros(at)).Scan(&known)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for an address: %w", err)
	}
	return true, nil
}

// RememberAddress implements command.Tx.
func (t tx) RememberAddress(ctx context.Context, mark command.AddressMark, userID uuid.UUID, until time.Time) error {
	_, err := t.Exec(ctx, "INSERT INTO sign_in_addresses (mark, user_id, expires_at) VALUES (?, ?, ?) "+
		t.dialect.Upsert("mark", "expires_at"), mark[:], userID[:], sqldb.Micros(until))
	return wrap("remember an address", err)
}

func (t tx) forgetAddresses(ctx context.Context, userID uuid.UUID) error {
	_, err := t.Exec(ctx, "DELETE FROM sign_in_addresses WHERE user_id = ?", userID[:])
	return wrap("forget the addresses of a user", err)
}
