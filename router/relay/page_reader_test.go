package relay

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/outbox"
)

// shelf is an outbox whose rows all have one length.
type shelf struct {
	Outbox

	rows, length int
	asked        []int
}

func (s *shelf) Pending(_ context.Context, _ []string, after int64, limit int) (pending []outbox.Pending, more bool, err error) {
	s.asked = append(s.asked, limit)
	for id := after + 1; id <= int64(s.rows) && len(pending) < limit && sizeOf(pending) < outbox.PageBytes; id++ {
		pending = append(pending, outbox.Pending{ID: id, Payload: make([]byte, s.length)})
	}
	return pending, len(pending) == limit || sizeOf(pending) >= outbox.PageBytes, nil
}

func TestPageOfLargeRowsIsShortAndNotTheLast(t *testing.T) {
	t.Parallel()
	s := &shelf{rows: 40, length: outbox.PageBytes / 16}
	d := newPageReader(&Relay{cfg: Config{Outbox: s, PageSize: 500, LeaseTTL: time.Minute, Now: time.Now}})
	first := d.read(t.Context(), pageRequest{})
	require.Len(t, first.rows, 16)
	require.True(t, first.more, "cut short")
	require.True(t, d.read(t.Context(), pageRequest{after: 16}).more)
	last := d.read(t.Context(), pageRequest{after: 32})
	require.Len(t, last.rows, 8)
	require.False(t, last.more)
	require.Equal(t, []int{500, 16, 16}, s.asked, "no more is asked for than is taken")

	s.length = 1
	for range 8 {
		require.Len(t, d.read(t.Context(), pageRequest{}).rows, min(40, s.asked[len(s.asked)-1]))
	}
	require.Equal(t, 32, s.asked[4], "more again once rows are short")
	require.False(t, d.read(t.Context(), pageRequest{}).more)
}
