package user

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxEmail is the longest e-mail address, in bytes: what SMTP can address.
const MaxEmail = 254

// Longest parts of an e-mail address, in bytes.
const (
	maxLocal = 64
	maxLabel = 63
)

// NormalEmail gives the one spelling under which an e-mail address is stored and compared: trimmed, composed (NFC), and folded. Unicode's
// simple folding gives one letter for each letter: Σ, σ and ς are σ; ẞ is ß, not ss. The Turkish İ and ı fold to neither i nor each
// other, so that the owner of alı@ does not get into ali@. ok is false for an invalid address. The domain needs no dot, since the first
// admin is "admin@localhost".
func NormalEmail(s string) (email string, ok bool) {
	if !utf8.ValidString(s) || len(s) > 4*MaxEmail {
		return "", false
	}
	e := norm.NFC.String(strings.Map(folded, norm.NFC.String(trim(s))))
	at := strings.LastIndexByte(e, '@')
	if at < 0 || len(e) > MaxEmail || !localPart(e[:at]) || !domain(e[at+1:]) {
		return "", false
	}
	return e, true
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
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.IndexFunc(label, func(r rune) bool { return !domainRune(r) }) >= 0 {
			return false
		}
	}
	return true
}

func domainRune(r rune) bool {
	return r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

func visible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !blank(r) }

func trim(s string) string { return strings.TrimSpace(s) }
