package user

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// MaxEmail is the longest e-mail address, in bytes: what SMTP can address.
const MaxEmail = 254

// Longest parts of an e-mail address, in bytes.
const (
	maxLocal = 64
	maxLabel = 63
)

// NormalEmail returns the one spelling under which an e-mail address is stored and compared: trimmed, composed (NFC), and folded, its
// domain in Unicode where it was given in punycode, because both are the same mailbox. Unicode's simple folding gives one letter for each
// letter: Σ, σ and ς are σ; ẞ is ß, not ss. The Turkish İ and ı fold to neither i nor each other, so that the owner of alı@ does not get
// into ali@. ok is false for an invalid address. The domain needs no dot, since the first admin is "admin@localhost".
func NormalEmail(s string) (email string, ok bool) {
	if !utf8.ValidString(s) || len(s) > 4*MaxEmail {
		return "", false
	}
	e := fold(trim(s))
	at := strings.LastIndexByte(e, '@')
	if at < 0 {
		return "", false
	}
	e = e[:at+1] + normalDomain(e[at+1:])
	if len(e) > MaxEmail || !localPart(e[:at]) || !domain(e[at+1:]) {
		return "", false
	}
	return e, true
}

func fold(s string) string { return norm.NFC.String(strings.Map(folded, norm.NFC.String(s))) }

// mapping is that of names for a look-up in the DNS (UTS 46, without the transitional one, in which ß is ss).
var mapping = idna.New(idna.MapForLookup(), idna.Transitional(false))

// normalDomain returns a domain in Unicode, mapped as for a look-up: fullwidth letters and other full stops are those of ASCII. What has no
// such form, or none that we take, is left as it is: then it has no other spelling either.
func normalDomain(s string) string {
	if unicoded, err := mapping.ToUnicode(s); err == nil && domain(fold(unicoded)) {
		return fold(unicoded)
	}
	return s
}

// folded gives the one letter that stands for all that differ from r by case alone.
func folded(r rune) rune {
	if unicode.SimpleFold(r) == r {
		return r
	}
	return unicode.ToLower(unicode.ToUpper(r))
}

// localPart takes no quoted ones: no mailbox needs them.
func localPart(s string) bool {
	if s == "" || len(s) > maxLocal || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return !visible(r) || strings.ContainsRune(`"(),:;<>@[\]`, r)
	}) < 0
}

func domain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || labelLength(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.IndexFunc(label, func(r rune) bool { return !domainRune(r) }) >= 0 {
			return false
		}
	}
	return true
}

// labelLength is that of a label in the DNS, where it is punycode.
func labelLength(label string) int {
	if ascii, err := idna.Punycode.ToASCII(label); err == nil {
		return len(ascii)
	}
	return len(label)
}

func domainRune(r rune) bool {
	return r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

func visible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !blank(r) }

func trim(s string) string { return strings.TrimSpace(s) }
