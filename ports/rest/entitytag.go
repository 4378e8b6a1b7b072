package rest

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/app/version"
)

// tagOf is the strong entity tag of a version: the same for every replica, and never again for another state.
func tagOf(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// entityTags are the value of an If-Match or If-None-Match.
type entityTags struct {
	any    bool // *
	strong []string
	weak   []string
}

var errTags = errors.New(`must be *, or entity tags in quotes with commas between them: "3", "4"`)

// parseTags reads RFC 9110's 1#entity-tag or *. A tag may hold commas, so that the value cannot be cut at them.
func parseTags(value string) (tags entityTags, err error) {
	rest := strings.Trim(value, " \t,")
	if rest == "*" {
		return entityTags{any: true}, nil
	}
	if rest == "" {
		return tags, errTags
	}
	for rest != "" {
		quoted, weak := strings.CutPrefix(rest, "W/")
		quoted, opened := strings.CutPrefix(quoted, `"`)
		opaque, behind, closed := strings.Cut(quoted, `"`)
		behind = strings.TrimLeft(behind, " \t")
		if !opened || !closed || strings.ContainsFunc(opaque, blankOrControl) || behind != "" && behind[0] != ',' {
			return entityTags{}, errTags
		}
		if weak {
			tags.weak = append(tags.weak, `"`+opaque+`"`)
		} else {
			tags.strong = append(tags.strong, `"`+opaque+`"`)
		}
		rest = strings.TrimLeft(behind, " \t,")
	}
	return tags, nil
}

func blankOrControl(r rune) bool { return r <= ' ' || r == 0x7f }

// versions gives those that strong tags name: a weak one says that two things are alike, not that they are the same. Tags that
// are none of ours name none.
func (t entityTags) versions() version.Expected {
	if t.any {
		return nil
	}
	expected := version.Expected{}
	for _, tag := range t.strong {
		n, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
		if err == nil && tagOf(n) == tag {
			expected = append(expected, n)
		}
	}
	return expected
}

// has reports whether tag is among t, weak or not: for a reader alike is enough.
func (t entityTags) has(tag string) bool {
	return t.any || slices.Contains(t.strong, tag) || slices.Contains(t.weak, tag)
}
