package sqldb

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// tokenCharacters are those of a header's name (RFC 9110), as far as brokers agree on them.
const tokenCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

// Publishable returns metadata that every broker takes: a poison message that none takes would never be seen. Values with line breaks,
// zero bytes, blanks at an end or bytes that are no UTF-8 are quoted as Go strings, odd keys escaped as in a URL.
func Publishable(metadata map[string]string) map[string]string {
	m := make(map[string]string, len(metadata)+8)
	for key, value := range metadata {
		if strings.Trim(key, tokenCharacters) != "" {
			key = url.QueryEscape(key)
		}
		if !isValue(value) {
			value = strconv.Quote(value)
		}
		m[key] = value
	}
	delete(m, "")
	return m
}

// isPublishable reports whether every broker takes metadata as it is.
func isPublishable(metadata map[string]string) bool {
	for key, value := range metadata {
		if key == "" || strings.Trim(key, tokenCharacters) != "" || !isValue(value) {
			return false
		}
	}
	return true
}

func isValue(s string) bool {
	return !strings.ContainsAny(s, "\r\n\x00") && strings.TrimSpace(s) == s && utf8.ValidString(s)
}
