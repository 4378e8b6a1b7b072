package usersql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/adapters/sqldb"
)

var _ jwks.KeyStore = (*Store)(nil)

// Keys implements jwks.KeyStore. The oldest comes first.
func (s *Store) Keys(ctx context.Context) ([]jwks.StoredKey, error) {
	rows, err := s.db.Query(ctx, "SELECT id, public, sealed, created_at FROM signing_keys ORDER BY created_at, id")
	if err != nil {
		return nil, err
	}
	return sqldb.Collect(rows, scanKey)
}

func scanKey(r sqldb.Scanner) (k jwks.StoredKey, err error) {
	var createdAt int64
	if err := r.Scan(&k.ID, &k.Public, &k.Sealed, &createdAt); err != nil {
		return k, fmt.Errorf("read a signing key: %w", err)
	}
	k.CreatedAt = sqldb.FromMicros(createdAt)
	return k, nil
}

// AddKey implements jwks.KeyStore. It locks the newest key: another replica that wants to add one waits, and then finds this one.
func (s *Store) AddKey(ctx context.Context, k jwks.StoredKey, newest string) (added bool, err error) {
	err = s.db.Atomically(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		added = false
		if _, err := keyID(tx.QueryRow(ctx, "SELECT id FROM signing_keys WHERE id = ?"+s.db.Dialect().ForUpdate(), []byte(newest))); err != nil {
			return err
		}
		last, err := keyID(tx.QueryRow(ctx, "SELECT id FROM signing_keys ORDER BY created_at DESC, id DESC LIMIT 1"))
		if err != nil || last != newest {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO signing_keys (id, public, sealed, created_at) VALUES (?, ?, ?, ?)",
			[]byte(k.ID), k.Public, k.Sealed, sqldb.Micros(k.CreatedAt))
		if err != nil {
			return fmt.Errorf("insert a signing key: %w", err)
		}
		added = true
		return nil
	})
	return added, err
}

// keyID reads an ID, which is empty where there is no row.
func keyID(row *sqldb.Row) (id string, err error) {
	if err := row.Scan(&id); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read the newest signing key: %w", err)
	}
	return id, nil
}

// DeleteKeys implements jwks.KeyStore.
func (s *Store) DeleteKeys(ctx context.Context, ids ...string) error {
	return s.db.Atomically(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		for _, id := range ids {
			if _, err := tx.Exec(ctx, "DELETE FROM signing_keys WHERE id = ?", []byte(id)); err != nil {
				return fmt.Errorf("delete a signing key: %w", err)
			}
		}
		return nil
	})
}
