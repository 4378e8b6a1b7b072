// Package command changes accounts: one use case per file, and what they need of the world.
package command

import (
	"context"
	"time"

	"github.com/millrace/millrace/app/limit"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/idempotency"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
)

// Store keeps accounts.
type Store interface {
	// Atomically commits what fn did through tx, or nothing if fn or the commit fails. fn may run again after a deadlock, so it
	// must have no effect except through tx, and nothing slow: no hashing.
	Atomically(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
	// ByID reads an account without a lock. The error is user.ErrNotFound where there is none.
	ByID(ctx context.Context, id uuid.UUID) (user.User, error)
	// ByEmail reads the account of a normalised e-mail address without a lock. The error is user.ErrNotFound where there is none.
	ByEmail(ctx context.Context, email string) (user.User, error)
	// RefreshToken reads which session a refresh token was given out in, and in which of its generations. The error is
	// user.ErrRefreshToken where there is no such token.
	RefreshToken(ctx context.Context, hash user.RefreshTokenHash) (session uuid.UUID, generation int64, err error)

	KnownAddresses
}

// Tx is one transaction on accounts and on the events about them.
type Tx interface {
	// Remember keeps the answer to a request; it comes before anything else. A nil record is ignored. The error is an
	// *idempotency.Replay where the request was answered before, idempotency.ErrReused where its key came with another body.
	Remember(ctx context.Context, r *idempotency.Record) error
	// Insert adds an account. The error is user.ErrEmailTaken where another has its e-mail address.
	Insert(ctx context.Context, u user.User) error
	// ForUpdate reads an account and keeps others from changing it until the transaction ends. The error is user.ErrNotFound where
	// there is none.
	ForUpdate(ctx context.Context, id uuid.UUID) (user.User, error)
	// Admins reads the IDs of all admins and locks who is one until the transaction ends. It comes before ForUpdate, so that all
	// transactions take these locks in the same order.
	Admins(ctx context.Context) (user.Admins, error)
	// Update stores an account, which is one version ahead of the stored one. The error is user.ErrEmailTaken where another has its
	// e-mail address.
	Update(ctx context.Context, u user.User) error
	// Delete removes an account and everything personal with it, its sessions too.
	Delete(ctx context.Context, id uuid.UUID) error
	// InsertSession adds a session.
	InsertSession(ctx context.Context, s user.Session) error
	// InsertRefreshToken adds one that was given out in s, of its generation.
	InsertRefreshToken(ctx context.Context, hash user.RefreshTokenHash, s user.Session) error
	// SessionForUpdate reads a session and keeps others from changing it until the transaction ends. The error is
	// user.ErrSessionNotFound where there is none.
	SessionForUpdate(ctx context.Context, id uuid.UUID) (user.Session, error)
	// UpdateSession stores a session that was read for it.
	UpdateSession(ctx context.Context, s user.Session) error
	// EndSession removes a session, if it exists: none of its refresh tokens is good any more.
	EndSession(ctx context.Context, id uuid.UUID) error
	// EndSessions removes the sessions of a user, all but the newest keep and the one called except.
	EndSessions(ctx context.Context, userID uuid.UUID, keep int, except uuid.UUID) error
	// RememberAddress keeps until a time that a user signed in from the address that mark stands for.
	RememberAddress(ctx context.Context, mark AddressMark, userID uuid.UUID, until time.Time) error
	// Publish adds an event to the outbox; sequence numbers it among its account's events.
	Publish(ctx context.Context, sequence int64, e contract.Event) error
}

// Hasher hashes passwords, slowly on purpose; ctx ends the wait for a turn. Turns are fair between origins. Where too many wait, the error
// is of kind fault.Unavailable.
type Hasher interface {
	// Room fails where an attempt from an origin would be refused now.
	Room(from limit.Origin) error
	Hash(ctx context.Context, from limit.Origin, password string) (string, error)
	Verify(ctx context.Context, from limit.Origin, hash, password string) (bool, error)
}

// TokenIssuer makes access tokens.
type TokenIssuer interface {
	Issue(ctx context.Context, p principal.Principal) (token string, expires time.Time, err error)
}
