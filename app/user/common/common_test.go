package common

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestListCanBeSearched(t *testing.T) {
	t.Parallel()
	require.True(t, slices.IsSorted(list()))
	require.Greater(t, len(list()), 10_000)
	for _, p := range list() {
		require.Equal(t, strings.ToLower(p), p)
		require.GreaterOrEqual(t, utf8.RuneCountInString(p), 8)
		require.True(t, Password(strings.ToUpper(p)) || strings.ToLower(strings.ToUpper(p)) != p, p)
	}
	require.False(t, Password(""))
	require.False(t, Password("gristmill by the river"))
}
