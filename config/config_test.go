package config_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/config"
)

var services = []string{"user", "order", "event"}

const brokerPassword = "eel-trap-under-the-weir"

func usual() config.Settings {
	return config.Settings{
		Service: "all", HTTPAddr: "127.0.0.1:8080", DataDir: "./data", DatabaseURL: "sqlite:", BrokerURL: "embedded:",
		AdminEmail: "admin@localhost", RateLimits: "on", LogLevel: "info",
	}
}

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	c, err := usual().Parse(services)
	require.NoError(t, err)
	require.Equal(t, []string{"user", "order", "event"}, c.Services)
	require.True(t, c.Embedded())
	require.True(t, c.RateLimits)
}

func TestEveryProblemIsReportedAtOnceAndNoSecretIsRepeated(t *testing.T) {
	t.Parallel()
	s := config.Settings{
		Service: "basket", HTTPAddr: "8080", OpsAddr: "127.0.0.1:99999", DatabaseURL: "postgres://me:hunter2@host/",
		BrokerURL:        "amqp://me:hunter2@host",
		EmbeddedNATSAddr: "x", EmbeddedNATSPass: "hunter2", EmbeddedNATSFile: "none.conf",
		SecretKey: "short", JWKSURL: "ftp://host", AdminEmail: "nobody", AdminPassword: "pw",
		LogFormat: "xml", LogLevel: "loud",
		TrustedProxies: "10.0.0.0/8,proxy.example", DrainDelay: "6", RateLimits: "yes", CORSOrigins: "*",
	}
	_, err := s.Parse(services)
	require.Error(t, err)
	for _, name := range []string{
		"MILLRACE_SERVICE", "MILLRACE_HTTP_ADDR", "MILLRACE_OPS_ADDR", "MILLRACE_DATABASE_URL", "MILLRACE_BROKER_URL",
		"MILLRACE_EMBEDDED_NATS_ADDR", "MILLRACE_EMBEDDED_NATS_PASSWORD", "MILLRACE_EMBEDDED_NATS_USERS",
		"MILLRACE_SECRET_KEY", "MILLRACE_JWKS_URL", "MILLRACE_LOG_FORMAT", "MILLRACE_LOG_LEVEL",
		"MILLRACE_TRUSTED_PROXIES", "MILLRACE_DRAIN_DELAY", "MILLRACE_RATE_LIMITS", "MILLRACE_CORS_ORIGINS",
		"MILLRACE_ADMIN_EMAIL", "MILLRACE_ADMIN_PASSWORD",
	} {
		require.ErrorContains(t, err, name+": ")
	}
	require.NotContains(t, err.Error(), "hunter2")
}

func TestDrainDelayNeedsAUnit(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]time.Duration{
		"": 0, "0s": 0, "6s": 6 * time.Second, "1500ms": 1500 * time.Millisecond, "5m": 5 * time.Minute,
	} {
		s := usual()
		s.DrainDelay = raw
		c, err := s.Parse(services)
		require.NoError(t, err)
		require.Equal(t, want, c.DrainDelay, raw)
	}
	for _, raw := range []string{"6", "-1s", "301s", "soon"} {
		s := usual()
		s.DrainDelay = raw
		_, err := s.Parse(services)
		require.ErrorContains(t, err, "MILLRACE_DRAIN_DELAY: ", raw)
	}
}

func TestRulesBetweenSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*config.Settings)
		says   string
	}{
		"MySQL without a secret": {
			func(s *config.Settings) { s.DatabaseURL = "mysql://root@host/" },
			"MILLRACE_SECRET_KEY: is needed with MySQL",
		},
		"order alone without keys": {
			func(s *config.Settings) { s.Service = "order" },
			"MILLRACE_JWKS_URL: is needed when order runs without the user service",
		},
		"event alone without keys": {
			func(s *config.Settings) { s.Service = "event" },
			"MILLRACE_JWKS_URL: is needed when event runs without the user service",
		},
		"port of a server not embedded": {func(s *config.Settings) {
			s.BrokerURL, s.EmbeddedNATSAddr = "nats://127.0.0.1:4222", "127.0.0.1:4223"
		}, "MILLRACE_EMBEDDED_NATS_ADDR: needs MILLRACE_BROKER_URL=embedded:"},
		"port of the embedded server without a password": {func(s *config.Settings) {
			s.EmbeddedNATSAddr = "127.0.0.1:4223"
		}, "MILLRACE_EMBEDDED_NATS_ADDR: needs MILLRACE_EMBEDDED_NATS_PASSWORD"},
		"password of the embedded server without a port": {func(s *config.Settings) {
			s.EmbeddedNATSPass = brokerPassword
		}, "MILLRACE_EMBEDDED_NATS_PASSWORD: needs MILLRACE_EMBEDDED_NATS_ADDR"},
		"users of the embedded server that cannot be read": {func(s *config.Settings) {
			s.EmbeddedNATSAddr, s.EmbeddedNATSFile = "127.0.0.1:4223", "no-such.conf"
		}, "MILLRACE_EMBEDDED_NATS_USERS: open no-such.conf"},
		"broker without a host":   {func(s *config.Settings) { s.BrokerURL = "nats://::" }, "MILLRACE_BROKER_URL: must be embedded:"},
		"broker with two ports":   {func(s *config.Settings) { s.BrokerURL = "nats://a:b:c" }, "MILLRACE_BROKER_URL: must be embedded:"},
		"admin without a mailbox": {func(s *config.Settings) { s.AdminEmail = "admin" }, "MILLRACE_ADMIN_EMAIL"},
		"admin with a weak password": {
			func(s *config.Settings) { s.AdminPassword = "short" },
			"MILLRACE_ADMIN_PASSWORD: must have 8 to 128 characters",
		},
		"admin with a poor password": {
			func(s *config.Settings) { s.AdminPassword = "Password1" },
			"MILLRACE_ADMIN_PASSWORD: is one of the most common",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := usual()
			c.change(&s)
			_, err := s.Parse(services)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestTrustedProxiesAreNetworksAndAddresses(t *testing.T) {
	t.Parallel()
	s := usual()
	s.TrustedProxies = "10.1.2.3/8, 192.0.2.7,,fd00::/8"
	c, err := s.Parse(services)
	require.NoError(t, err)
	require.Equal(t, []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("fd00::/8"),
	}, c.TrustedProxies)
}

func TestOriginsMustBeWrittenAsBrowsersSendThem(t *testing.T) {
	t.Parallel()
	for given, says := range map[string]string{
		"https://shop.example, http://localhost:5173,http://[::1]:8080": "",
		"https://shop.example/":       "as browsers send it: https://shop.example",
		"https://Shop.example":        "as browsers send it: https://shop.example",
		"https://shop.example:443":    "as browsers send it: https://shop.example",
		"https://me@shop.example":     "as browsers send it: https://shop.example",
		"https://shop.example?a=b":    "as browsers send it: https://shop.example",
		"https://*.example":           "is not an origin",
		"*":                           "is not an origin",
		"null":                        "is not an origin",
		"shop.example":                "is not an origin",
		"ftp://shop.example":          "is not an origin",
		"https://a.example,https://:": "is not an origin",
	} {
		s := usual()
		s.CORSOrigins = given
		c, err := s.Parse(services)
		if says == "" {
			require.NoError(t, err)
			require.Equal(t, []string{"https://shop.example", "http://localhost:5173", "http://[::1]:8080"}, c.CORSOrigins)
			continue
		}
		require.ErrorContains(t, err, "MILLRACE_CORS_ORIGINS: ", given)
		require.ErrorContains(t, err, says, given)
	}
}

func TestSeveralServicesCanBeChosen(t *testing.T) {
	t.Parallel()
	s := usual()
	s.JWKSURL = "http://127.0.0.1:1/"
	for given, want := range map[string][]string{
		"all": {"user", "order", "event"}, "event": {"event"}, "event,order": {"order", "event"}, " user , order,user": {"user", "order"},
	} {
		s.Service = given
		c, err := s.Parse(services)
		require.NoError(t, err, given)
		require.Equal(t, want, c.Services, given)
	}
	for _, given := range []string{"", ",", "all,user", "user,basket", "user order"} {
		s.Service = given
		_, err := s.Parse(services)
		require.ErrorContains(t, err, "MILLRACE_SERVICE: ", given)
	}
}

func TestBrokerPasswordsThatCanBeGuessedAreRefused(t *testing.T) {
	t.Parallel()
	for password, says := range map[string]string{
		"":                      "is shorter than 12 characters",
		"hunter2":               "is shorter than 12 characters",
		"aaaaaaaaaaaaaaaaaaaa":  "has fewer than 6 different characters",
		"12345678901234":        "can be guessed",
		"changeMeMillrace":      "can be guessed",
		"millrace-millrace-123": "can be guessed",
		brokerPassword:          "",
	} {
		err := config.CheckBrokerPassword("millrace", password)
		if says == "" {
			require.NoError(t, err, password)
			continue
		}
		require.ErrorContains(t, err, says, password)
	}
}

func TestUsersOfTheEmbeddedServerNeedGoodPasswordsToo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "users.conf")
	s := usual()
	s.EmbeddedNATSAddr, s.EmbeddedNATSFile = "127.0.0.1:4223", file
	for content, says := range map[string]string{
		`users = [ {user: shop, password: "hunter2"} ]`:                    "the password of shop is shorter than 12 characters",
		`users = [ {user: shop} ]`:                                         "the password of shop is shorter than 12 characters",
		`users = [ {user: shop, password: "` + brokerPassword + `"} ]`:     "",
		`users = [ {user: millrace, password: "` + brokerPassword + `"} ]`: "the user millrace is Millrace's own",
	} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		c, err := s.Parse(services)
		if says == "" {
			require.NoError(t, err)
			require.False(t, c.EmbeddedNATS.Users.Empty())
			continue
		}
		require.ErrorContains(t, err, "MILLRACE_EMBEDDED_NATS_USERS: "+file+": "+says)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestUpstreamsNameEachServiceOnce(t *testing.T) {
	t.Parallel()
	for given, says := range map[string]string{
		"user=http://a:1, order=https://b,event=http://[::1]:3":  "",
		"user=http://a:1,order=http://b:2":                       "does not say where the event service listens",
		"user=http://a,user=http://b,order=http://c":             "names the user service twice",
		"user=http://a,order=http://b,event=http://c,x=http://d": "must be SERVICE=http://HOST:PORT",
		"user=a:1":              "must be SERVICE=http://HOST:PORT",
		"http://a:1":            "must be SERVICE=http://HOST:PORT",
		"user=http://me:pw@a:1": "must be SERVICE=http://HOST:PORT",
	} {
		s := usual()
		s.Upstreams = given
		c, err := s.Parse(services)
		if says == "" {
			require.NoError(t, err)
			require.Equal(t, "a:1", c.Upstreams["user"].Host)
			continue
		}
		require.ErrorContains(t, err, "MILLRACE_UPSTREAMS: "+says, given)
		require.NotContains(t, err.Error(), "pw")
	}
}
