package usersql

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
)

// errMoved says that a row was not at the version that its change began from: it was changed without its lock.
var errMoved = errors.New("the stored version is not the one that was read")

// tx implements command.Tx.
type tx struct {
	*sqldb.Tx

	dialect sqldb.Dialect
	outbox  *sqldb.Outbox
}

// Insert implements command.Tx.
func (t tx) Insert(ctx context.Context, u user.User) error {
	_, err := t.Exec(ctx, "INSERT INTO users ("+columns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		u.ID[:], []byte(u.Email), u.Name, u.PasswordHash, u.MustChangePassword, string(u.Role), u.Version, u.Sequence,
		sqldb.Micros(u.CreatedAt), sqldb.Micros(u.UpdatedAt))
	return stored("insert", err)
}

// ForUpdate implements command.Tx.
func (t tx) ForUpdate(ctx context.Context, id uuid.UUID) (user.User, error) {
	return scanOne(t.QueryRow(ctx, "SELECT "+columns+" FROM users WHERE id = ?"+t.dialect.ForUpdate(), id[:]))
}

// Admins implements command.Tx. The rows are locked in the order of their index, the same for everybody.
func (t tx) Admins(ctx context.Context) (admins user.Admins, err error) {
	rows, err := t.Query(ctx, "SELECT id FROM users WHERE role = ? ORDER BY id"+t.dialect.ForUpdate(), string(principal.RoleAdmin))
	if err != nil {
		return nil, fmt.Errorf("read the admins: %w", err)
	}
	if admins, err = sqldb.Collect(rows, scanID); err != nil {
		return nil, fmt.Errorf("read the admins: %w", err)
	}
	return admins, nil
}

// Update implements command.Tx.
func (t tx) Update(ctx context.Context, u user.User) error {
	t.Erases() // the former address, name or hash
	met, err := t.Exec(ctx, `UPDATE users SET email = ?, name = ?, password_hash = ?, must_change_password = ?, role = ?, version = ?,
		sequence = ?, updated_at = ? WHERE id = ? AND version = ?`,
		[]byte(u.Email), u.Name, u.PasswordHash, u.MustChangePassword, string(u.Role), u.Version,
		u.Sequence, sqldb.Micros(u.UpdatedAt), u.ID[:], u.Version-1)
	if err == nil && met != 1 {
		err = errMoved
	}
	return stored("update", err)
}

// answersOfOne is above the answers that hold data of one account: its registration's.
const answersOfOne = 10

// Delete implements command.Tx.
func (t tx) Delete(ctx context.Context, id uuid.UUID) error {
	if err := t.EndSessions(ctx, id, 0, uuid.Nil); err != nil {
		return err
	}
	if err := t.forgetAddresses(ctx, id); err != nil {
		return err
	}
	if _, err := t.ForgetAnswers(ctx, id, answersOfOne); err != nil {
		return err
	}
	t.Erases()
	_, err := t.Exec(ctx, "DELETE FROM users WHERE id = ?", id[:])
	return stored("delete", err)
}

// Publish implements command.Tx. What the other services learn by the event, the processes of this one learn by the row.
func (t tx) Publish(ctx context.Context, sequence int64, e contract.Event) error {
	if err := t.noteAccess(ctx, e); err != nil {
		return err
	}
	return t.outbox.Publish(ctx, t.Tx, sequence, e)
}

func (t tx) noteAccess(ctx context.Context, e contract.Event) error {
	switch e := e.(type) {
	case contract.UserUpdated:
		return sqldb.NoteAccess(ctx, t.Tx, e.User, false)
	case contract.UserDeleted:
		return sqldb.NoteAccess(ctx, t.Tx, e.User, true)
	}
	return nil
}

// stored says what failed. The one unique key beside the drawn ID is that of the e-mail address.
func stored(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case sqldb.IsDuplicate(err):
		return user.ErrEmailTaken.Because(err)
	}
	return fmt.Errorf("%s a user: %w", what, err)
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
