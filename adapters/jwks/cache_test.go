package jwks

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCacheIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	t.Parallel()
	c := newTokenCache(10)
	used := sha256.Sum256([]byte("used"))
	c.put(used, verified{keyID: "used"})
	for i := range 1000 {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(i))
		c.put(sha256.Sum256(n[:]), verified{})
		got, ok := c.get(used)
		require.True(t, ok)
		require.Equal(t, "used", got.keyID)
		require.LessOrEqual(t, len(c.young)+len(c.old), 20)
	}
	first := sha256.Sum256(make([]byte, 8))
	_, ok := c.get(first)
	require.False(t, ok, "what is not used is forgotten")
}
