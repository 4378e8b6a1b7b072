package jwks

import (
	"crypto/sha256"
	"sync"
)

// cachedTokens is how many tokens are remembered for sure; up to twice as many may be.
const cachedTokens = 8192

// tokenCache remembers good tokens by their hash, so that no token itself stays in memory. It has two halves: when the young one
// is full, it becomes the old one and what was not used since is forgotten.
type tokenCache struct {
	size int

	mu    sync.Mutex
	young map[[sha256.Size]byte]verified
	old   map[[sha256.Size]byte]verified
}

func newTokenCache(size int) *tokenCache {
	return &tokenCache{size: size, young: map[[sha256.Size]byte]verified{}}
}

func (c *tokenCache) get(sum [sha256.Size]byte) (verified, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok := c.young[sum]; ok {
		return v, true
	}
	v, ok := c.old[sum]
	if ok {
		c.add(sum, v)
	}
	return v, ok
}

func (c *tokenCache) put(sum [sha256.Size]byte, v verified) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(sum, v)
}

func (c *tokenCache) add(sum [sha256.Size]byte, v verified) {
	if len(c.young) >= c.size {
		c.old, c.young = c.young, make(map[[sha256.Size]byte]verified, c.size)
	}
	c.young[sum] = v
}
