package config

import (
	"reflect"
	"slices"
	"strings"
)

// Unknown is a variable of the environment that looks like a setting and is none.
type Unknown struct {
	Name    string
	Similar string // the setting that was probably meant; empty where none is close
}

// foreign are prefixes of variables that are for tests and scripts, not for the program.
var foreign = []string{"MILLRACE_TEST_", "MILLRACE_LOCAL_", "MILLRACE_MARIADB_", "MILLRACE_NATS_"}

// FindUnknown returns the variables of environ ("NAME=value") that begin with MILLRACE_ and name no setting. They have no effect, which
// whoever misspelt one must hear of.
func FindUnknown(environ []string) (unknown []Unknown) {
	known := variables()
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "MILLRACE_") || slices.Contains(known, name) ||
			slices.ContainsFunc(foreign, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			continue
		}
		unknown = append(unknown, Unknown{Name: name, Similar: closest(name, known)})
	}
	slices.SortFunc(unknown, func(a, b Unknown) int { return strings.Compare(a.Name, b.Name) })
	return unknown
}

// variables are the names of all settings.
func variables() (names []string) {
	for field := range reflect.TypeFor[Settings]().Fields() {
		if name := field.Tag.Get("env"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// closeEnough is how many characters may differ in a name that was misspelt.
const closeEnough = 4

func closest(name string, known []string) (best string) {
	least := closeEnough + 1
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two names: how many characters must be inserted, deleted or replaced.
func distance(a, b string) int {
	previous := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := range len(a) {
		current := make([]int, len(b)+1)
		current[0] = i + 1
		for j := range len(b) {
			replaced := previous[j]
			if a[i] != b[j] {
				replaced++
			}
			current[j+1] = min(previous[j+1]+1, current[j]+1, replaced)
		}
		previous = current
	}
	return previous[len(b)]
}
