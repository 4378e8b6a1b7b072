package usersql

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/adapters/sqldb"
)

var _ jwks.KeyStore = (*Store)(nil)

// Keys implements jwks.KeyStore. The oldest comes first.
func (s *Store) Keys(ctx context.Context) (keys []jwks.StoredKey, err error) {
	rows, err := s.db.Query(ctx, "SELECT id, public, sealed, created_at FROM signing_keys ORDER BY created_at, id")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var (
			k         jwks.StoredKey
			createdAt int64
		)
		if err := rows.Scan(&k.ID, &k.Public, &k.Sealed, &createdAt); err != nil {
			return nil, fmt.Errorf("read a signing key: %w", err)
		}
		k.CreatedAt = sqldb.FromMicros(createdAt)
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

// AddKey implements jwks.KeyStore.
func (s *Store) AddKey(ctx context.Context, k jwks.StoredKey) error {
	return s.db.Atomically(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO signing_keys (id, public, sealed, created_at) VALUES (?, ?, ?, ?)",
			[]byte(k.ID), k.Public, k.Sealed, sqldb.Micros(k.CreatedAt))
		if sqldb.IsDuplicate(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("insert a signing key: %w", err)
		}
		return nil
	})
}
