// Package principal says who asks: the caller that an access token proved.
package principal

import "time"

// Role is what a user may do. A user has exactly one.
type Role string

// The roles, from the one with the fewest rights to the one with all.
const (
	RoleUser      Role = "user"
	RolePublisher Role = "publisher"
	RoleOperator  Role = "operator"
	RoleAdmin     Role = "admin"
)

// Valid reports whether r is one of the four roles.
func (r Role) Valid() bool {
	switch r {
	case RoleUser, RolePublisher, RoleOperator, RoleAdmin:
		return true
	}
	return false
}

// Principal is a signed-in caller.
type Principal struct {
	UserID  [16]byte // the user's UUID
	Role    Role
	Session string // the token's sid; empty where there is none
	// IssuedAt is the token's iat, in whole seconds: what the token says was so then.
	IssuedAt time.Time
	// MustChangePassword keeps p from everything but a change of the password, which somebody else knows.
	MustChangePassword bool
}

// Admin reports whether p may do everything.
func (p Principal) Admin() bool { return p.Role == RoleAdmin }

// Owns reports whether the thing of user id is p's own, or p is an admin.
func (p Principal) Owns(id [16]byte) bool { return p.UserID == id || p.Admin() }
