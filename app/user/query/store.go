// Package query reads accounts: one question per file.
package query

import (
	"context"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/user"
)

// Store reads accounts, without locks.
type Store interface {
	// ByID reads an account. The error is user.ErrNotFound where there is none.
	ByID(ctx context.Context, id uuid.UUID) (user.User, error)
	// List reads up to limit accounts, newest first. A page ends early where it would be too large; more reports whether there is something
	// behind it.
	List(ctx context.Context, f Filter, limit int) (users []user.User, more bool, err error)
}

// Filter chooses accounts.
type Filter struct {
	Email  string     // normalised; empty: all
	Behind *uuid.UUID // only accounts older than this one; nil: from the newest
}
