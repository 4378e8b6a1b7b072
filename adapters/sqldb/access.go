package sqldb

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
)

// errRevoked refuses the token of a user who was deleted since it was issued.
var errRevoked = fault.New(fault.Unauthenticated, "invalid_token", "The access token is not valid, or not any more.")

// errAccessUnknown refuses every token: whether its user was deleted or demoted since cannot be told.
var errAccessUnknown = fault.New(fault.Unavailable, "access_unknown",
	"It cannot be checked at present whether the access token is still good. Nothing was changed; try again.")

// accessFresh is how old the last good poll may be. With the pause between two polls it is less than the five seconds within which access
// ends.
const accessFresh = 4 * time.Second

// accessSkew is how far the clock of a token's issuer may be ahead of the clock of a change: a token issued that soon after the change may
// still say what was true before.
const accessSkew = 2 * time.Second

// Access knows whose rights changed lately: a token is good for a while, and what it says of its user may have ended since. A change is
// written in the transaction that learned of it, polled by every process, and looked up in memory.
//
// It fails closed: where the changes could not be read for a while, every token is refused as Unavailable.
type Access struct {
	db    *DB
	lasts time.Duration

	reading sync.Mutex // one read of the changes at a time
	mu      sync.RWMutex
	known   map[[16]byte]rights
	seen    int64     // when the newest change that was read was noted, by the database's clock
	good    time.Time // when the last good read began
}

// rights are those of a user as they are now.
type rights struct {
	role    principal.Role // empty where only the deletion is known
	deleted bool
	since   time.Time
}

// NewAccess gives the access in db. lasts is how long a token is good for: older changes need not be known.
func NewAccess(db *DB, lasts time.Duration) *Access {
	return &Access{db: db, lasts: lasts, known: map[[16]byte]rights{}}
}

// Check gives p as it is now. A deleted user's token is refused with Unauthenticated, whenever it was issued; one from before the last
// change of its user carries the role as it is now. The error is of kind Unavailable while the last good poll is too old to say.
func (a *Access) Check(p principal.Principal) (principal.Principal, error) {
	a.mu.RLock()
	now, ok := a.known[p.UserID]
	fresh := time.Since(a.good) < accessFresh
	a.mu.RUnlock()
	switch {
	case ok && now.deleted:
		return principal.Principal{}, errRevoked
	case !fresh:
		return principal.Principal{}, errAccessUnknown
	case ok && now.role != "" && !p.IssuedAt.After(now.since.Add(accessSkew)):
		p.Role = now.role
	}
	return p, nil
}

const maxRole = 32 // bytes, as in the table

// NoteAccess stores, with whatever else tx does, what u may do from now on. An older version takes nothing back, and a deletion stays.
func NoteAccess(ctx context.Context, tx *Tx, u contract.User, deleted bool) error {
	id, err := uuid.Parse(u.ID)
	if err != nil {
		return fmt.Errorf("note a change of access: %w", err)
	}
	role := u.Role[:min(len(u.Role), maxRole)] // an unknown role gives no rights
	// The upsert locks the row at once, without the shared lock in which two who want to change it would wait for each other.
	_, err = tx.Exec(ctx, "INSERT INTO access_changes (user_id, version, role, deleted, changed_at, noted_at) VALUES (?, 0, '', 0, 0, "+
		tx.dialect.now()+") "+tx.dialect.Upsert("user_id", "noted_at"), id[:])
	if err == nil && deleted {
		_, err = tx.Exec(ctx, "UPDATE access_changes SET deleted = 1 WHERE user_id = ?", id[:])
	} else if err == nil {
		_, err = tx.Exec(ctx, "UPDATE access_changes SET version = ?, role = ?, changed_at = ? WHERE user_id = ? AND version < ?",
			u.Version, role, Micros(u.UpdatedAt), id[:], u.Version)
	}
	if err != nil {
		return fmt.Errorf("note a change of access: %w", err)
	}
	return nil
}
