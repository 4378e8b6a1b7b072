package user

import (
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
)

// MaxName is the longest name of an account, in characters.
const MaxName = 200

// violations collects every rule that given values break, so that a caller learns of all at once. Its methods give the
// normalised value.
type violations []fault.Field

func (v *violations) add(location, format string, args ...any) {
	*v = append(*v, fault.Field{Location: location, Message: fmt.Sprintf(format, args...)})
}

func (v *violations) err() error {
	if len(*v) == 0 {
		return nil
	}
	return fault.NewInvalid(*v...)
}

func (v *violations) email(s string) string {
	e, ok := NormalEmail(s)
	if !ok {
		v.add("body.email", "must be an e-mail address of at most %d bytes", MaxEmail)
	}
	return e
}

// name trims and composes: one name has one spelling in bytes.
func (v *violations) name(s string) string {
	n := norm.NFC.String(trim(s))
	switch length := utf8.RuneCountInString(n); {
	case length == 0 || length > MaxName:
		v.add("body.name", "must have 1 to %d characters", MaxName)
	case !utf8.ValidString(n) || !legible(n):
		v.add("body.name", "must not contain control characters, nor characters that cannot be seen")
	}
	return n
}

func (v *violations) role(r principal.Role) principal.Role {
	if !r.Valid() {
		v.add("body.role", "must be one of user, publisher, operator, admin")
	}
	return r
}
