// Package common knows the passwords that most people have, and that attackers try first.
package common

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// passwords are those of 8 characters and more among the most common, in lower case and in order, one a line. Where they come from is
// in SOURCES.md; .ci/common-passwords makes them.
//
//go:embed passwords.txt
var passwords string

var list = sync.OnceValue(func() []string { return strings.Split(strings.TrimSuffix(passwords, "\n"), "\n") })

// Password reports whether s is, in whatever case, one of them.
func Password(s string) bool {
	_, found := slices.BinarySearch(list(), strings.ToLower(s))
	return found
}
