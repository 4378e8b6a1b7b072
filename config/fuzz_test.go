package config_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/millrace/millrace/config"
)

const (
	testSecret    = "2c739ceda6ab927b6b11c00d5ae6c4bbbe3e6020f880c5edb2428a2db0313632"
	adminPassword = "correct horse battery"
)

// FuzzConfig gives the settings that have a form of their own anything: what is wrong is an error, and no error tells a secret.
func FuzzConfig(f *testing.F) {
	f.Add("mysql://user:secret@host:3306/", "nats://user:secret@a:1,b:2?creds=f", "10.0.0.0/8,192.0.2.7", "https://shop.example",
		"http://user:8080/jwks", "127.0.0.1:8080")
	f.Add("sqlite:", "embedded:", "", "", "", ":0")
	f.Add("user:secret@tcp(host:3306)/x?parseTime=true", "tls://%zz", "::ffff:10.0.0.0/104,fe80::1%eth0", "http://[::1]:80,*", "ftp://x",
		"[::1")
	f.Fuzz(func(t *testing.T, database, broker, proxies, origins, jwks, addr string) {
		s := config.Settings{
			Service: "all", HTTPAddr: addr, DataDir: "./data", DatabaseURL: database, BrokerURL: broker, TrustedProxies: proxies,
			CORSOrigins: origins, JWKSURL: jwks,
			SecretKey: testSecret, AdminEmail: "admin@localhost", AdminPassword: adminPassword, RateLimits: "on", LogLevel: "info",
			LogFormat: "text",
		}
		c, err := s.Parse(services)
		if err != nil {
			for _, secret := range []string{testSecret, adminPassword, passwordIn(database), passwordIn(broker)} {
				if len(secret) > 12 && strings.Contains(err.Error(), secret) {
					t.Fatalf("an error tells %q: %v", secret, err)
				}
			}
			return
		}
		for _, network := range c.TrustedProxies {
			if !network.IsValid() || network != network.Masked() {
				t.Fatalf("%q is read as %v", proxies, network)
			}
		}
		for _, origin := range c.CORSOrigins {
			if u, err := url.Parse(origin); err != nil || origin != u.Scheme+"://"+u.Host || strings.ContainsAny(origin, "*, \r\n") {
				t.Fatalf("%q is an origin", origin)
			}
		}
		if _, err := netip.ParseAddrPort(addr); err != nil && !strings.Contains(addr, ":") {
			t.Fatalf("%q is an address to listen on", addr)
		}
	})
}

// passwordIn gives what stands where a URL has its password.
func passwordIn(raw string) string {
	_, behind, _ := strings.Cut(raw, "://")
	user, _, _ := strings.Cut(behind, "@")
	_, password, _ := strings.Cut(user, ":")
	return password
}
