package event

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
)

// variable parts of a reason, in the order in which they are taken out.
var variable = []struct {
	found *regexp.Regexp
	with  string
}{
	{regexp.MustCompile("\"[^\"]*\"|`[^`]*`"), "?"},
	{regexp.MustCompile(`(^|[\s(\[{=:,])'[^']*'`), "$1?"}, // an apostrophe inside a word quotes nothing
	{regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "#"},
	{regexp.MustCompile(`(?i)\b(0x)?[0-9a-f]{8,}\b`), "#"},
	{regexp.MustCompile(`[0-9]+`), "#"},
	{regexp.MustCompile(`\s+`), " "},
}

// fingerprint is the same for failures of one consumer at one type that differ only in numbers, IDs and quoted values.
func fingerprint(consumer, eventType, reason string) string {
	for _, v := range variable {
		reason = v.found.ReplaceAllString(reason, v.with)
	}
	sum := sha256.Sum256([]byte(consumer + "\x00" + eventType + "\x00" + reason))
	return hex.EncodeToString(sum[:8])
}
