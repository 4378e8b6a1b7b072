package eventhttp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzQueryOfTheLists sends anything as the query of the history and of the poison queue.
func FuzzQueryOfTheLists(f *testing.F) {
	for _, seed := range []string{
		"limit=1", "order=asc&type=%25", "cursor=AAAA", "status=open", "key='", "after=2026-01-01T00:00:00Z", "before=0000-01-01T00:00:00Z",
		"correlation_id=%00", "source=%ff",
		"after=9999-12-31T23:59:59.999999999Z", "fingerprint=%F0%9F%98%80", "limit=0", "type=a&type=a", "%zz",
	} {
		f.Add(seed)
	}
	a := setup(f)
	f.Fuzz(func(t *testing.T, query string) {
		if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' }) {
			return // net/http refuses these before us
		}
		for _, path := range []string{"/api/events?", "/api/poison?"} {
			status, body := a.call(t, "operator", http.MethodGet, path+query)
			require.Less(t, status, http.StatusInternalServerError, "%q: %s", query, body)
		}
	})
}
