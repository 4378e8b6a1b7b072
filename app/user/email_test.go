package user_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/user"
)

func TestNormalEmail(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("d", 63)
	longest := strings.Repeat("a", 64) + "@" + label + "." + label + "." + strings.Repeat("d", 61)
	for given, want := range map[string]string{
		"ada@example.com":        "ada@example.com",
		" Ada@EXAMPLE.com\n":     "ada@example.com",
		"admin@localhost":        "admin@localhost",
		"a.b+c_d-e'f@x-y.z":      "a.b+c_d-e'f@x-y.z",
		"ΜΑΡΊΑ@παράδειγμα.ΕΛ":    "μαρία@παράδειγμα.ελ",
		"ΣΑΣ@ΟΔΟΣ.ΕΛ":            "σασ@οδοσ.ελ",
		"σας@οδος.ελ":            "σασ@οδοσ.ελ",
		"STRA\u1e9eE@x":          "stra\u00dfe@x",
		"strasse@x":              "strasse@x",
		"\u017fam@\u212aelvin":   "sam@kelvin",
		"AL\u0130@x":             "al\u0130@x",
		"al\u0131@x":             "al\u0131@x",
		"ALI@x":                  "ali@x",
		"\u00b5@x":               "\u03bc@x",
		"Jose\u0301@example.com": "jos\u00e9@example.com",
		longest:                  longest,
	} {
		got, ok := user.NormalEmail(given)
		require.True(t, ok, given)
		require.Equal(t, want, got)
	}
}

func TestOneMailboxHasOneSpelling(t *testing.T) {
	t.Parallel()
	for want, spellings := range map[string][]string{
		"ada@bücher.example": {
			"ada@xn--bcher-kva.example", "Ada@XN--BCHER-KVA.example", "ada@bu\u0308cher.example", "ada@BÜCHER.EXAMPLE",
			"ada@\uff42ücher.example", "ada@bücher\u3002example",
		},
		"ada@παράδειγμα.ελ":    {"ada@xn--hxajbheg2az3al.xn--qxam", "ada@ΠΑΡΆΔΕΙΓΜΑ.ΕΛ"},
		"ada@straße.example":   {"ada@xn--strae-oqa.example", "ada@STRA\u1e9eE.example"},
		"ada@οδοσ.ελ":          {"ada@οδος.ελ", "ada@xn--pxavbm.xn--qxam", "ada@xn--pxavbq.xn--qxam"},
		"ada@例え.テスト":           {"ada@xn--r8jz45g.xn--zckzah"},
		"ada@xn--i-7iq.ws":     {"ada@XN--I-7IQ.WS"},     // decodes to a heart, which is no letter
		"ada@xn--zzzzzz99.com": {"ada@xn--zzzzzz99.com"}, // decodes to nothing
		"ada@strasse.example":  {"ada@strasse.example"},
		"bücher@example.com":   {"BÜCHER@example.com"},
	} {
		for _, given := range append(spellings, want) {
			got, ok := user.NormalEmail(given)
			require.True(t, ok, given)
			require.Equal(t, want, got, given)
		}
	}
	long := strings.Repeat("ü", 40) // 80 bytes, and shorter in punycode
	_, ok := user.NormalEmail("ada@" + long + ".example")
	require.True(t, ok)
	_, ok = user.NormalEmail("ada@" + strings.Repeat("ü", 64) + ".example")
	require.False(t, ok, "longer in punycode than a label may be")
	_, ok = user.NormalEmail("ada@xn--" + strings.Repeat("d", 60) + ".example")
	require.False(t, ok)
}

func TestCaseIsNoDifferenceForAnyLetter(t *testing.T) {
	t.Parallel()
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if !unicode.IsLetter(r) {
			continue
		}
		normal, ok := user.NormalEmail(string(r) + "@x")
		if !ok {
			continue // it shows nothing
		}
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			same, ok := user.NormalEmail(string(other) + "@x")
			require.True(t, ok && same == normal, "%U and %U", r, other)
		}
	}
}

func TestWhatIsNoEmail(t *testing.T) {
	t.Parallel()
	for name, given := range map[string]string{
		"empty":                      "",
		"no at":                      "ada.example.com",
		"nothing before the at":      "@example.com",
		"nothing behind the at":      "ada@",
		"two ats":                    "ada@home@example.com",
		"space":                      "ada lovelace@example.com",
		"no-break space":             "ada\u00a0@example.com",
		"zero-width space":           "ada\u200b@example.com",
		"zero-width joiner":          "ada\u200d@example.com",
		"turned around":              "\u202eada@example.com",
		"filler":                     "\u3164@example.com",
		"line end":                   "ada@example.com\nbcc: eve@example.com",
		"NUL":                        "ada\x00@example.com",
		"display name":               "Ada <ada@example.com>",
		"quoted":                     `"ada"@example.com`,
		"dot at the begin":           ".ada@example.com",
		"dot at the end":             "ada.@example.com",
		"two dots":                   "a..da@example.com",
		"two dots in the domain":     "ada@example..com",
		"dot at the domain's end":    "ada@example.com.",
		"hyphen at a label's begin":  "ada@-example.com",
		"hyphen at a label's end":    "ada@example-.com",
		"underscore in the domain":   "ada@ex_ample.com",
		"address instead of domain":  "ada@[127.0.0.1]",
		"local part over 64 bytes":   strings.Repeat("a", 65) + "@example.com",
		"label over 63 bytes":        "ada@" + strings.Repeat("d", 64) + ".com",
		"over 254 bytes":             "a@" + strings.Repeat("dd.", 84) + "d",
		"over 254 bytes, normalised": strings.Repeat("a", 3000) + "@example.com",
		"invalid UTF-8":              "ada\xff@example.com",
	} {
		_, ok := user.NormalEmail(given)
		require.False(t, ok, name)
	}
}

func FuzzNormalEmail(f *testing.F) {
	for _, seed := range []string{"Ada@Example.com", "İ@x", "ΑΣ@ΣΑΣ", "\u212a@\u2126", "a@b.c", "ﬃ@x", "e\u0301@x", "@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		normal, ok := user.NormalEmail(given)
		if !ok {
			return
		}
		if len(normal) > user.MaxEmail || !utf8.ValidString(normal) || strings.Count(normal, "@") != 1 {
			t.Fatalf("%q became %q", given, normal)
		}
		again, ok := user.NormalEmail(normal)
		if !ok || again != normal {
			t.Fatalf("%q is normal and became %q", normal, again)
		}
		if upper, ok := user.NormalEmail(" " + normal + "\t"); !ok || upper != normal {
			t.Fatalf("%q with white space around became %q", normal, upper)
		}
	})
}
