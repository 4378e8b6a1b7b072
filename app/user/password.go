package user

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/millrace/millrace/app/user/common"
)

// Limits of a password, in characters (Unicode code points).
const (
	MinPassword = 8
	MaxPassword = 128
)

// NormalPassword gives the one spelling in bytes under which a password is hashed and compared: composed (NFC), as keyboards and
// systems differ in how they write one character. Nothing else is done to it: case, spaces and every character count.
func NormalPassword(s string) string { return norm.NFC.String(s) }

// password takes any characters: rules on their kinds make passwords worse. It refuses what an attacker tries first: what many have,
// and what is known of the account anyway.
func (v *violations) password(location, s, email, name string) string {
	s = NormalPassword(s)
	length := utf8.RuneCountInString(s)
	switch {
	case length < MinPassword || length > MaxPassword || !utf8.ValidString(s):
		v.add(location, "must have %d to %d characters", MinPassword, MaxPassword)
	case common.Password(s):
		v.add(location, "is one of the most common passwords, which are tried first")
	case echoes(s, email, name):
		v.add(location, "must not be the e-mail address or the name")
	}
	return s
}

// echoes reports whether a password is, in whatever case, something that is no secret of the account.
func echoes(password, email, name string) bool {
	local, _, _ := strings.Cut(email, "@")
	for _, known := range []string{email, local, name} {
		if strings.EqualFold(trim(password), known) && known != "" {
			return true
		}
	}
	return false
}

// CheckPassword refuses a password that u must not be given, said of where it stood.
func (u User) CheckPassword(location, password string) (normal string, err error) {
	var broken violations
	normal = broken.password(location, password, u.Email, u.Name)
	return normal, broken.err()
}
