package user_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/user"
)

func TestPasswordRules(t *testing.T) {
	t.Parallel()
	const email, name = "Ada.Lovelace@Example.com", "Augusta Ada King"
	length, most, known := "must have 8 to 128 characters", "is one of the most common passwords, which are tried first",
		"must not be the e-mail address or the name"
	for _, c := range []struct{ password, message string }{
		{"", length},
		{"1234567", length},
		{strings.Repeat("ß", 7), length},
		{"u\u0308u\u0308u\u0308u\u0308", length}, // 4 characters in 8 code points
		{strings.Repeat("u\u0308", 128), ""},
		{strings.Repeat("x", 129), length},
		{"12 mills\xff", length},
		{"password", most},
		{"PassWord1", most},
		{"12345678", most},
		{"qwertyuiop", most},
		{"iloveyou", most},
		{"ada.lovelace@example.com", known},
		{"ADA.lovelace@EXAMPLE.com", known},
		{"Ada.Lovelace", known},
		{"augusta ada king", known},
		{" Augusta Ada King ", known},
		{"Augusta Ada King of Lovelace", ""},
		{"mill mill", ""},
		{"пароль мельника", ""},
		{"👩‍🔬👩‍🔬👩‍🔬", ""},
		{"        ", ""}, // no rules on kinds of characters
	} {
		_, err := user.Apply(email, name, c.password)
		if c.message == "" {
			require.NoError(t, err, "%q", c.password)
			continue
		}
		e, ok := errors.AsType[*fault.Error](err)
		require.True(t, ok, "%q", c.password)
		require.Equal(t, []fault.Field{{Location: "body.password", Message: c.message}}, e.Fields, "%q", c.password)
	}
}

func TestPasswordIsNotComparedWithWhatIsNotThere(t *testing.T) {
	t.Parallel()
	_, err := user.User{}.CheckPassword("body.new_password", "        ")
	require.NoError(t, err)
	_, err = user.User{Email: "ada@example.com"}.CheckPassword("body.new_password", "ada@example.com")
	require.Equal(t, []string{"body.new_password"}, locations(t, err))
}
