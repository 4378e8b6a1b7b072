package natsjs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBrokerURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]address{
		"nats://localhost:4222":             {servers: "nats://localhost:4222"},
		"nats://localhost:4222/":            {servers: "nats://localhost:4222"},
		"nats://a:1,b:2":                    {servers: "nats://a:1,nats://b:2"},
		"nats://me:secret@a:1,b:2":          {servers: "nats://me:secret@a:1,nats://me:secret@b:2"},
		"nats://me:sec%40ret@a:1":           {servers: "nats://me:sec%40ret@a:1"},
		"nats://[::1]:4222":                 {servers: "nats://[::1]:4222"},
		"tls://a:1,b:2?creds=/run/me.creds": {servers: "tls://a:1,tls://b:2", credentials: "/run/me.creds"},
	} {
		got, err := parseAddress(raw)
		require.NoError(t, err, raw)
		require.Equal(t, want, got, raw)
	}
	for _, raw := range []string{
		"", "a:1", "http://me:secret@a:1", "nats://", "nats://me:secret@", "nats://a:1,", "nats://me:secret@a:1/path",
		"nats://::", "nats://a:b:c", "nats://me:secret@a:0", "nats://a:65536", "nats://a:1,b:",
		"nats://me:secret@a:x", "nats://me:secret@a:1?verbose=1",
	} {
		_, err := parseAddress(raw)
		require.Error(t, err, raw)
		require.NotContains(t, err.Error(), "secret", "an error repeats the password")
	}
}
