package config

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How strong a secret key must be. Written as text, 32 random bytes are 64 hexadecimal digits, or 43 characters of base64.
const (
	keyBytes      = 32
	keyCharacters = 43
	keyBits       = 128 // by the frequencies of its characters; a random key has more than 190
)

// errWeakKey is what each refusal of a key ends with.
var errWeakKey = errors.New("make one with: openssl rand -hex 32")

// CheckKey refuses a secret key that can be guessed: one that holds fewer than 32 bytes, a known placeholder, and text that repeats
// itself. What it cannot see is a long key that was published; it estimates, and proves nothing. The error repeats nothing of the key.
func CheckKey(key string) error {
	switch held := keyLength(key); {
	case held < keyBytes:
		return fmt.Errorf("holds %d bytes, %d are needed (64 hexadecimal digits, or %d other characters); %w",
			held, keyBytes, keyCharacters, errWeakKey)
	case mentions(key, placeholders), mentions(key, commonWords):
		return fmt.Errorf("is a placeholder, which anybody can look up; %w", errWeakKey)
	case repetitive(key) || entropy(key) < keyBits:
		return fmt.Errorf("repeats itself and is easily guessed; %w", errWeakKey)
	}
	return nil
}

// keyLength is how many random bytes key can hold: those that it encodes, or three for each four characters, as base64 does.
func keyLength(key string) int {
	if decoded, err := hex.DecodeString(key); err == nil {
		return len(decoded)
	}
	unpadded := strings.TrimRight(key, "=")
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if decoded, err := encoding.DecodeString(unpadded); err == nil {
			return len(decoded)
		}
	}
	return utf8.RuneCountInString(key) * keyBytes / keyCharacters
}

// repetitive reports whether key says the same again and again, or counts: a random key has hardly a group of three characters twice,
// nor one distance between neighbours much more often than others.
func repetitive(key string) bool {
	runes := []rune(key)
	groups, steps := map[string]bool{}, map[rune]int{}
	for i := range len(runes) - 2 {
		groups[string(runes[i:i+3])] = true
		steps[runes[i+1]-runes[i]]++
	}
	most := 0
	for _, n := range steps {
		most = max(most, n)
	}
	return len(groups)*4 < (len(runes)-2)*3 || most*3 > len(runes)-2
}

// entropy estimates the bits of s by how often its characters occur. An order that can be guessed is not seen.
func entropy(s string) (bits float64) {
	counts, length := map[rune]int{}, utf8.RuneCountInString(s)
	for _, r := range s {
		counts[r]++
	}
	for _, n := range counts {
		bits += float64(n) * math.Log2(float64(length)/float64(n))
	}
	return bits
}

// placeholders are words of values that stand in examples to be replaced, weakPasswords others that are tried first. All are long enough
// to be in no random key by chance.
var (
	placeholders = []string{
		"changeme", "changeit", "changethis", "pleasechange", "placeholder", "replaceme", "replacethis", "fillmein", "fillthisin",
		"inserthere", "yoursecret", "yourpassword", "yourkey", "chooseapassword", "examplepassword", "todotodo", "randombytes",
	}
	weakPasswords = []string{"example", "secret", "password", "passwort", "default"}
	commonWords   = append([]string{"millrace"}, weakPasswords...)
)

// published are passwords that Millrace's own documents and examples have shown; README.md's commands set two of them.
var published = []string{
	"changemeatthefirstsignin", "correcthorsebatterystaple", "gristmillbytheriver", "localadminpassword",
}

// mentions reports whether s has one of words in it, whatever its case and punctuation.
func mentions(s string, words []string) bool {
	s = letters(s)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(s, word) })
}

// letters are the letters and digits of s, in lower case.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// placeholderPassword reports whether a password is one that stands in examples to be replaced. Digits that are commonly written for
// letters are read as these.
func placeholderPassword(password string) bool {
	p := letters(password)
	plain := digitsAsLetters.Replace(p)
	return slices.Contains(published, p) || mentions(p, placeholders) || mentions(plain, placeholders)
}

// productName reports whether a password is the name of the product, with digits or without.
func productName(password string) bool {
	rest, named := strings.CutPrefix(letters(password), "millrace")
	return named && strings.Trim(rest, "0123456789") == ""
}

var digitsAsLetters = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t")

// errPlaceholder is about the password of a URL.
var errPlaceholder = errors.New("its password is a placeholder from an example, which anybody can look up; " +
	"give that user a drawn one: openssl rand -hex 24")

// checkURLPassword refuses a URL of a database or broker whose password is a placeholder.
func checkURLPassword(raw string) error {
	if slices.ContainsFunc(urlPasswords(raw), placeholderPassword) {
		return errPlaceholder
	}
	return nil
}

// weakURLPassword reports whether the password of a URL is a word that is tried first.
func weakURLPassword(raw string) bool {
	return slices.ContainsFunc(urlPasswords(raw), func(p string) bool { return slices.Contains(weakPasswords, letters(p)) })
}

// urlPasswords are the passwords in a URL of a database, which may be a DSN, or of a broker, which may name several hosts. What cannot be
// read is another check's.
func urlPasswords(raw string) (passwords []string) {
	for part := range strings.SplitSeq(raw, ",") {
		if _, rest, found := strings.Cut(part, "://"); found {
			part = rest
		}
		at := strings.LastIndexByte(part, '@')
		if at < 0 {
			continue
		}
		_, password, _ := strings.Cut(part[:at], ":")
		if plain, err := url.PathUnescape(password); err == nil {
			password = plain
		}
		passwords = append(passwords, password)
	}
	return passwords
}

// WarnOfWeakPasswords warns of the password of a database or broker that is tried first. It is no reason to refuse a start: that user may
// be reachable from this machine alone.
func WarnOfWeakPasswords(cfg Config, log *slog.Logger) {
	for name, raw := range map[string]string{"MILLRACE_DATABASE_URL": cfg.DatabaseURL, "MILLRACE_BROKER_URL": cfg.BrokerURL} {
		if weakURLPassword(raw) {
			log.Warn("a password is a word that is tried first: draw one with openssl rand -hex 24", "setting", name)
		}
	}
}
