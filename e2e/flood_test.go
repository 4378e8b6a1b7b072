package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSignInFloodFromOneSiteDelaysNoKnownAddress floods sign-in from one IPv6 /48, each attempt from a /64 of its own, and has a user sign
// in from an address that they signed in from before. What counts is how many of the flood's passwords were hashed meanwhile, not the time.
func TestSignInFloodFromOneSiteDelaysNoKnownAddress(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir(), "--trusted-proxies=127.0.0.1").ready()
	n.register("ada@example.org")
	credentials := fmt.Sprintf(`{"email":"ada@example.org","password":%q}`, adminPassword)
	signIn := func() answer {
		return n.send("", http.MethodPost, "/api/auth/login", credentials, "X-Forwarded-For", "198.51.100.7")
	}
	require.Equal(t, http.StatusOK, signIn().status)

	const flooders, each = 150, 6
	var (
		flood            sync.WaitGroup
		heard, refused   atomic.Int64
		begun            = make(chan struct{})
		beginning        sync.Once
		unexpected       atomic.Int64
		floodCredentials = `{"email":"nobody%d@example.org","password":"a wrong password"}`
	)
	for i := range flooders {
		flood.Go(func() {
			for j := range each {
				from := fmt.Sprintf("2001:db8:1:%x::1", i*each+j)
				a, err := n.try("", http.MethodPost, "/api/auth/login", fmt.Sprintf(floodCredentials, i), "X-Forwarded-For", from)
				switch {
				case err == nil && a.status == http.StatusUnauthorized:
					heard.Add(1)
				case err == nil && a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "":
					refused.Add(1)
				default:
					unexpected.Add(1)
				}
				if heard.Load() > 10 {
					beginning.Do(func() { close(begun) })
				}
			}
		})
	}
	<-begun
	before := heard.Load()
	a := signIn()
	during := heard.Load() - before
	require.Equal(t, http.StatusOK, a.status, a.body)
	flood.Wait()
	t.Logf("%d of the flood hashed during the sign-in, %d in all, %d refused", during, heard.Load(), refused.Load())
	require.Zero(t, unexpected.Load())
	require.LessOrEqual(t, during, int64(30), "it waited behind the flood")
}
