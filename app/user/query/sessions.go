package query

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user"
)

// Sessions asks for a page of the caller's own sessions, newest first.
type Sessions struct {
	Caller principal.Principal
	Behind *uuid.UUID // the last page's Next
	Limit  int
}

// SessionsPage is one page. Next is nil on the last one.
type SessionsPage struct {
	Sessions []user.Session
	Next     *uuid.UUID
}

// SessionStore reads sessions, without locks.
type SessionStore interface {
	// Sessions reads up to limit sessions of a user that are not over at a time, newest first, older than behind where it is given. A page
	// ends early where it would be too large; more reports whether there is something behind it.
	Sessions(
		ctx context.Context, userID uuid.UUID, at time.Time, behind *uuid.UUID, limit int,
	) (sessions []user.Session, more bool, err error)
}

// SessionsHandler handles Sessions.
type SessionsHandler struct {
	store SessionStore
	now   func() time.Time
}

// NewSessionsHandler returns a handler on store.
func NewSessionsHandler(store SessionStore, now func() time.Time) *SessionsHandler {
	return &SessionsHandler{store: store, now: now}
}

// Handle gives the page, without sessions that are over.
func (h *SessionsHandler) Handle(ctx context.Context, q Sessions) (SessionsPage, error) {
	sessions, more, err := h.store.Sessions(ctx, q.Caller.UserID, h.now(), q.Behind, q.Limit)
	if err != nil {
		return SessionsPage{}, err
	}
	if !more {
		return SessionsPage{Sessions: sessions}, nil
	}
	return SessionsPage{Sessions: sessions, Next: &sessions[len(sessions)-1].ID}, nil
}
