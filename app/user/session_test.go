package user_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/user"
)

var signedInAt = time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC)

func begun() user.Session {
	return user.BeginSession(uuid.New(), uuid.New(), user.Client{Agent: "curl", Address: "192.0.2.1"}, signedInAt)
}

func TestSessionEndsIdleAfter14DaysAndInAnyCaseAfter30(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	s := begun()
	require.Equal(t, signedInAt.Truncate(time.Microsecond).Add(14*day), s.ExpiresAt)
	idle := s
	require.False(t, idle.Refresh(1, user.Client{}, s.ExpiresAt))
	at := signedInAt.Add(13 * day)
	require.True(t, s.Refresh(1, user.Client{}, at))
	require.Equal(t, at.Truncate(time.Microsecond).Add(14*day), s.ExpiresAt)
	at = at.Add(13 * day)
	require.True(t, s.Refresh(2, user.Client{}, at))
	require.Equal(t, s.CreatedAt.Add(30*day), s.ExpiresAt)
	require.False(t, s.Refresh(3, user.Client{}, s.ExpiresAt))
	require.True(t, s.Refresh(3, user.Client{}, s.ExpiresAt.Add(-time.Microsecond)))
}

func TestUsedTokenComesAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		uses  []int64 // generations that were used before, one second apart
		again int64
		after time.Duration // the last use
		good  bool
	}{
		"at once":                                   {[]int64{1}, 1, 0, true},
		"on a replica whose clock is behind":        {[]int64{1}, 1, -time.Second, true},
		"within the grace":                          {[]int64{1}, 1, 10 * time.Second, true},
		"a third time within the grace":             {[]int64{1, 1}, 1, 9 * time.Second, true},
		"after the grace":                           {[]int64{1}, 1, 10*time.Second + time.Microsecond, false},
		"a third time after the grace of the first": {[]int64{1, 1}, 1, 10 * time.Second, false},
		"at once, with its successor used":          {[]int64{1, 2}, 1, 0, false},
		"the successor, at once":                    {[]int64{1, 2}, 2, 0, true},
		"its sibling used":                          {[]int64{1, 1, 2}, 2, 9 * time.Second, true},
		"of a generation that never was":            {[]int64{1}, 3, 0, false},
		"of no generation":                          {nil, 0, time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, at := begun(), signedInAt.Add(time.Hour)
			for _, g := range c.uses {
				require.True(t, s.Refresh(g, user.Client{}, at))
				at = at.Add(time.Second)
			}
			if len(c.uses) > 0 {
				at = at.Add(-time.Second)
			}
			before := s
			at = at.Add(c.after).Truncate(time.Microsecond)
			require.Equal(t, c.good, s.Refresh(c.again, user.Client{}, at))
			if c.good {
				require.Equal(t, before.Generation, s.Generation, "another of the same generation")
				require.Equal(t, before.LastUsedAt, s.LastUsedAt, "the grace does not begin anew")
				require.Equal(t, before.Issued+1, s.Issued)
			} else {
				require.Equal(t, before, s)
			}
		})
	}
}

func TestSessionGivesOutNoEndOfTokens(t *testing.T) {
	t.Parallel()
	s := begun()
	for generation := int64(1); generation < user.MaxRefreshTokens; generation++ {
		require.True(t, s.Refresh(generation, user.Client{}, signedInAt))
	}
	require.False(t, s.Refresh(s.Generation, user.Client{}, signedInAt))
}

func TestSessionKeepsOfItsClientWhatCanBeShown(t *testing.T) {
	t.Parallel()
	s := begun()
	require.Equal(t, user.Client{Agent: "curl", Address: "192.0.2.1"}, s.Client)
	require.True(t, s.Refresh(1, user.Client{Agent: "a\x00\u202eb\xff" + strings.Repeat("ß", 300)}, signedInAt))
	require.Equal(t, "ab"+strings.Repeat("ß", 198), s.Client.Agent)
}

func TestRefreshTokenHasOneSpelling(t *testing.T) {
	t.Parallel()
	drawn, err := user.DrawRefreshToken(strings.NewReader(strings.Repeat("\xfb", 32)))
	require.NoError(t, err)
	written := drawn.Reveal()
	require.Len(t, written, 43)
	read, err := user.ParseRefreshToken(written)
	require.NoError(t, err)
	require.Equal(t, drawn, read)
	require.Equal(t, drawn.Hash(), read.Hash())
	require.NotContains(t, drawn.String(), written)
	for _, other := range []string{
		"", written[:42], written + "A", written + "=", " " + written[1:], "\n" + written[1:], "+" + written[1:],
		written[:42] + "t", // the same bytes, with bits to spare
	} {
		_, err := user.ParseRefreshToken(other)
		require.ErrorIs(t, err, user.ErrRefreshToken, "%q", other)
	}
	_, err = user.DrawRefreshToken(strings.NewReader("short"))
	require.Error(t, err)
}
