package rest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestLoggedMethodAndPathAreClipped(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := httptest.NewRequest(http.MethodGet, "/"+strings.Repeat("ä", 5000), nil)
	r.Method = strings.Repeat("M", 20_000)
	f.do(t, r)
	line := f.log.lines(t)[0]
	require.Equal(t, "request", line["msg"])
	for _, field := range []string{"method", "path"} {
		value, _ := line[field].(string)
		require.Less(t, len(value), 300, field)
		require.True(t, strings.HasSuffix(value, "…") && utf8.ValidString(value) && !strings.Contains(value, "\ufffd"), value)
	}
}
