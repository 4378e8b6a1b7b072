package event

import (
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"
)

// attributeMax is the width of what a store keeps in columns of its own, in bytes.
const attributeMax = 255

// clip shortens s to limit bytes, without cutting a character. What it cut ends in a hash of the whole, so that two long values that
// begin alike stay two.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	end := "~" + hex.EncodeToString(sum[:8])
	cut := limit - len(end)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + end
}
