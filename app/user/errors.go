package user

import "github.com/millrace/millrace/app/fault"

// What an account refuses. The codes are part of the API.
var (
	ErrNotFound   = fault.New(fault.NotFound, "user_not_found", "There is no such user.")
	ErrEmailTaken = fault.New(fault.Conflict, "email_taken", "Another account has this e-mail address.")
	ErrLastAdmin  = fault.New(fault.Conflict, "last_admin", "The last admin can be neither removed nor demoted.")
	ErrRole       = fault.New(fault.Forbidden, "role_forbidden", "Only an admin may change a role.")
	ErrChanged    = fault.New(fault.Conflict, "user_changed", "The account was changed meanwhile. Try again.")
	ErrSignIn     = fault.New(fault.Unauthenticated, "bad_credentials", "E-mail address and password do not fit.")

	// ErrTooManyAttempts refuses a password unseen. It says the same whether there is such an account or not.
	ErrTooManyAttempts = fault.New(fault.Exhausted, "too_many_attempts",
		"Too many wrong passwords. Retry-After says in how many seconds it can go on.")

	ErrRefreshToken = fault.New(fault.Unauthenticated, "invalid_refresh_token",
		"The refresh token is not valid, or not any more. Sign in again.")
	ErrSessionNotFound = fault.New(fault.NotFound, "session_not_found", "There is no such session.")
)

// ErrPasswordForbidden refuses to change another's password, even for an admin: a password known to two people is no secret.
var ErrPasswordForbidden = fault.New(fault.Forbidden, "password_forbidden", "Only its user may change a password.")

// ErrSamePassword refuses a new password that is the current one.
var ErrSamePassword = fault.NewInvalid(fault.Field{Location: "body.new_password", Message: "must not be the current password"})

// ErrPasswordMissing refuses to change one's own e-mail address without the current password.
var ErrPasswordMissing = fault.NewInvalid(fault.Field{
	Location: "body.current_password",
	Message:  "is needed to change one's own e-mail address",
})

// ErrWrongPassword refuses a change that the current password had to confirm. It is not ErrSignIn: the access token is good, and clients
// take a 401 for the end of their session.
var ErrWrongPassword = &fault.Error{
	Kind:    fault.Forbidden,
	Code:    "wrong_password",
	Message: "The current password is wrong.",
	Fields:  []fault.Field{{Location: "body.current_password", Message: "is wrong"}},
}
