package usersql

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/user"
)

const columns = "id, email, name, password_hash, must_change_password, role, version, sequence, created_at, updated_at"

// scanOne reads an account; the error is user.ErrNotFound where there is none.
func scanOne(r sqldb.Scanner) (user.User, error) {
	u, err := scan(r)
	if errors.Is(err, sql.ErrNoRows) {
		return user.User{}, user.ErrNotFound
	}
	return u, err
}

func scan(r sqldb.Scanner) (user.User, error) {
	var (
		u                    user.User
		createdAt, updatedAt int64
	)
	err := r.Scan(&u.ID, &u.Email, &u.Name, &u.PasswordHash, &u.MustChangePassword, &u.Role, &u.Version, &u.Sequence,
		&createdAt, &updatedAt)
	if err != nil {
		return user.User{}, fmt.Errorf("read a user: %w", err)
	}
	u.CreatedAt, u.UpdatedAt = sqldb.FromMicros(createdAt), sqldb.FromMicros(updatedAt)
	return u, nil
}
