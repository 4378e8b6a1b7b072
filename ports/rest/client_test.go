package rest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/ports/rest"
)

func TestClientAddress(t *testing.T) {
	t.Parallel()
	var addr, network string
	f := setup(t, func(cfg *rest.Config) {
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	})
	rest.Register(f.server.API(), huma.Operation{OperationID: "who", Method: http.MethodGet, Path: "/api/who"},
		func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			addr, network = rest.ClientAddr(ctx).String(), rest.ClientNet(ctx).String()
			return nil, nil
		})
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		addr, net string
	}{
		"direct":                              {"192.0.2.1:4000", nil, "192.0.2.1", "192.0.2.1/32"},
		"direct over IPv6":                    {"[2001:db8:1:2:3::4]:4000", nil, "2001:db8:1:2:3::4", "2001:db8:1:2::/64"},
		"a stranger's header is not believed": {"192.0.2.1:4000", []string{"198.51.100.9"}, "192.0.2.1", "192.0.2.1/32"},
		"a proxy's is":                        {"10.0.0.1:4000", []string{"198.51.100.9"}, "198.51.100.9", "198.51.100.9/32"},
		"what the client made up is not": {
			"10.0.0.1:4000", []string{"203.0.113.1, 198.51.100.9"}, "198.51.100.9", "198.51.100.9/32",
		},
		"through two proxies": {
			"10.0.0.1:4000", []string{"203.0.113.1,198.51.100.9 , 10.0.0.2"}, "198.51.100.9", "198.51.100.9/32",
		},
		"lines are one list": {
			"10.0.0.1:4000", []string{"203.0.113.1", "198.51.100.9", "10.0.0.2"}, "198.51.100.9", "198.51.100.9/32",
		},
		"a proxy's own request":  {"10.0.0.1:4000", []string{"10.0.0.2"}, "10.0.0.2", "10.0.0.2/32"},
		"a proxy without header": {"10.0.0.1:4000", nil, "10.0.0.1", "10.0.0.1/32"},
		"an empty header":        {"10.0.0.1:4000", []string{""}, "10.0.0.1", "10.0.0.1/32"},
		"nonsense ends the walk": {"10.0.0.1:4000", []string{"198.51.100.9, unknown, 10.0.0.2"}, "10.0.0.2", "10.0.0.2/32"},
		"nonsense alone":         {"10.0.0.1:4000", []string{"1.2.3.4.5"}, "10.0.0.1", "10.0.0.1/32"},
		"empty entry":            {"10.0.0.1:4000", []string{"198.51.100.9,"}, "10.0.0.1", "10.0.0.1/32"},
		"empty line":             {"10.0.0.1:4000", []string{"198.51.100.9", ""}, "10.0.0.1", "10.0.0.1/32"},
		"with a port":            {"10.0.0.1:4000", []string{"198.51.100.9:1234"}, "198.51.100.9", "198.51.100.9/32"},
		"IPv6 with a port": {
			"10.0.0.1:4000", []string{"[2001:db8:1:2:3::4]:1234"}, "2001:db8:1:2:3::4", "2001:db8:1:2::/64",
		},
		"IPv6 in brackets": {
			"10.0.0.1:4000", []string{"[2001:db8:1:2:3::4]"}, "2001:db8:1:2:3::4", "2001:db8:1:2::/64",
		},
		"proxy over IPv6":          {"[fd00::1]:4000", []string{"198.51.100.9"}, "198.51.100.9", "198.51.100.9/32"},
		"IPv4 in IPv6 clothes":     {"[::ffff:10.0.0.1]:4000", []string{"::ffff:198.51.100.9"}, "198.51.100.9", "198.51.100.9/32"},
		"a connection without one": {"@", []string{"198.51.100.9"}, "invalid IP", "invalid Prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/api/who", nil)
			r.RemoteAddr = c.peer
			r.Header["X-Forwarded-For"] = c.forwarded
			require.Equal(t, http.StatusNoContent, f.do(t, r).StatusCode)
			require.Equal(t, c.addr, addr)
			require.Equal(t, c.net, network)
		})
	}
}

func TestWithoutTrustedProxiesNoHeaderIsBelieved(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var addr netip.Addr
	rest.Register(f.server.API(), huma.Operation{OperationID: "who", Method: http.MethodGet, Path: "/api/who"},
		func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			addr = rest.ClientAddr(ctx)
			return nil, nil
		})
	r := httptest.NewRequest(http.MethodGet, "/api/who", nil)
	r.RemoteAddr = "127.0.0.1:4000"
	r.Header.Set("X-Forwarded-For", "198.51.100.9")
	f.do(t, r)
	require.Equal(t, "127.0.0.1", addr.String())
}
