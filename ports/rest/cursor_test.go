package rest_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/ports/rest"
)

type position struct {
	At int64
	ID string
}

func TestCursors(t *testing.T) {
	t.Parallel()
	cursors := rest.NewCursors([]byte("the secret of the replicas"))
	want := position{At: 1 << 60, ID: "x"}
	cursor := cursors.Seal("GET /api/orders?status=placed caller=1", want)
	madeUp := base64.RawURLEncoding.EncodeToString([]byte(`0123456789abcdef{"At":1}`))
	flipped := []byte(cursor)
	flipped[len(flipped)/2] ^= 1

	t.Run("opens in its own list, on another replica too", func(t *testing.T) {
		t.Parallel()
		var got position
		replica := rest.NewCursors([]byte("the secret of the replicas"))
		require.NoError(t, replica.Open("GET /api/orders?status=placed caller=1", cursor, &got))
		require.Equal(t, want, got)
	})
	for name, c := range map[string]struct {
		cursors       rest.Cursors
		scope, cursor string
	}{
		"another list":   {cursors, "GET /api/orders?status= caller=1", cursor},
		"another caller": {cursors, "GET /api/orders?status=placed caller=2", cursor},
		"another secret": {rest.NewCursors([]byte("other")), "GET /api/orders?status=placed caller=1", cursor},
		"changed":        {cursors, "GET /api/orders?status=placed caller=1", string(flipped)},
		"cut":            {cursors, "GET /api/orders?status=placed caller=1", cursor[:8]},
		"longer":         {cursors, "GET /api/orders?status=placed caller=1", cursor + "AA"},
		"line end in it": {cursors, "GET /api/orders?status=placed caller=1", cursor[:8] + "\n" + cursor[8:]},
		"made up":        {cursors, "GET /api/orders?status=placed caller=1", madeUp},
		"no base64":      {cursors, "GET /api/orders?status=placed caller=1", "!"},
		"empty":          {cursors, "GET /api/orders?status=placed caller=1", ""},
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			t.Parallel()
			var got position
			err := c.cursors.Open(c.scope, c.cursor, &got)
			require.Equal(t, fault.Invalid, fault.KindOf(err))
			require.Zero(t, got)
		})
	}
}
