package eventhttp

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/ports/rest"
)

// listOf names a list for its cursors: which one, of whom, and every filter. A cursor of one list is refused by every other.
func listOf(ctx context.Context, name string, filters ...string) string {
	caller := rest.Caller(ctx)
	var b strings.Builder
	b.WriteString(name)
	b.WriteString(strconv.Quote(string(caller.UserID[:])))
	for _, f := range filters {
		b.WriteString(strconv.Quote(f))
	}
	return b.String()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// open gives where a page begins, 0 for the first.
func (h routes) open(list, cursor string) (behind int64, err error) {
	if cursor == "" {
		return 0, nil
	}
	err = h.Cursors.Open(list, cursor, &behind)
	return behind, err
}

// seal gives the cursor of the next page, none behind the last.
func (h routes) seal(list string, next int64) string {
	if next == 0 {
		return ""
	}
	return h.Cursors.Seal(list, next)
}
