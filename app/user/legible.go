package user

import "unicode"

// Joiners between two letters or signs change how these look: Persian and Indic words need them, and so do some emoji.
const (
	nonJoiner = '\u200c'
	joiner    = '\u200d'
)

// legible reports whether a name looks like what it is: nothing in it is invisible, moves a cursor or turns the direction of the text
// around it, by which one name could be made to look like another. Joiners may stand where they join.
func legible(s string) bool {
	before := ' '
	for _, r := range s {
		switch {
		case r == joiner || r == nonJoiner:
			if unicode.IsSpace(before) || before == joiner || before == nonJoiner {
				return false
			}
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || blank(r):
			return false
		case unicode.IsSpace(r) && (before == joiner || before == nonJoiner):
			return false
		}
		before = r
	}
	return before != joiner && before != nonJoiner
}

// blank reports whether r is one of the letters that show nothing: fillers of Hangul, a joiner of graphemes, vowels of Khmer that are not
// written, the blank of Braille.
func blank(r rune) bool {
	switch r {
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u2800', '\u3164', '\uffa0':
		return true
	}
	return false
}
