package user_test

import (
	"testing"
	"unicode/utf8"

	"github.com/millrace/millrace/app/user"
)

func FuzzRefreshToken(f *testing.F) {
	const good = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	for _, seed := range []string{good, "", good[:42] + "9", good + "=", good[:42] + "\n", good[:42] + "+"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		token, err := user.ParseRefreshToken(given)
		if err == nil && token.Reveal() != given {
			t.Fatalf("%q is taken for %q: one token has one spelling", given, token.Reveal())
		}
	})
}

func FuzzApplicant(f *testing.F) {
	for _, seed := range [][3]string{
		{"ada@example.org", "Ada", "gristmill by the river"}, {"", "", ""}, {"a@b.c", "\x00", "12345678"}, {"a@b.c", "N",
			"\xff\xff\xff\xff\xff\xff\xff\xff"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, email, name, password string) {
		a, err := user.Apply(email, name, password)
		if err != nil {
			return
		}
		if n := utf8.RuneCountInString(a.Password()); n < 8 || n > 128 || !utf8.ValidString(a.Password()) {
			t.Fatalf("a password of %d characters is taken", n)
		}
		normal, ok := user.NormalEmail(email)
		if again, _ := user.NormalEmail(normal); !ok || again != normal {
			t.Fatalf("%q is normal as %q", normal, again)
		}
	})
}
