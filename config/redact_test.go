package config_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/config"
)

func TestNoMessageRepeatsThePasswordOfAURL(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"dial nats://user:hunter2@nats:4222: refused":   "dial nats://xxxxx@nats:4222: refused",
		`parse "mysql://u:hun/ter2?#@h:3306/": invalid`: `parse "mysql://xxxxx@h:3306/": invalid`,
		"nats://u:hunter2@a:1,nats://u:hunter2@b:2":     "nats://xxxxx@b:2",
		"open user:hunter2@tcp(mysql:3306)/x":           "open xxxxx@tcp(mysql:3306)/x",
		"--database-url=user:hunter2@unix(/run/x.sock)": "--database-url=xxxxx@unix(/run/x.sock)",
		"https://token@jwks.example/keys":               "https://xxxxx@jwks.example/keys",
		"http://127.0.0.1:8080 and admin@localhost":     "http://127.0.0.1:8080 and admin@localhost",
		"admin@localhost":                               "admin@localhost",
	} {
		require.Equal(t, want, config.Redact(given))
	}
	for _, form := range []func(*bytes.Buffer, *slog.HandlerOptions) slog.Handler{
		func(b *bytes.Buffer, o *slog.HandlerOptions) slog.Handler { return slog.NewTextHandler(b, o) },
		func(b *bytes.Buffer, o *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(b, o) },
	} {
		var log bytes.Buffer
		logger := slog.New(form(&log, &slog.HandlerOptions{ReplaceAttr: config.RedactAttr}))
		logger.With("server", "nats://u:hunter2@a").Warn("connect to nats://u:hunter2@a", "error", errors.New("dial nats://u:hunter2@a"),
			slog.Group("broker", "url", "nats://u:hunter2@a"))
		require.NotContains(t, log.String(), "hunter2")
		require.Equal(t, 4, strings.Count(log.String(), "xxxxx@a"), log.String())
	}
}

func TestSettingsThatAreWrongRepeatNoPassword(t *testing.T) {
	t.Parallel()
	const password = "hunter2hunter2"
	for name, change := range map[string]func(s *config.Settings, url string){
		"service":      func(s *config.Settings, url string) { s.Service = url },
		"address":      func(s *config.Settings, url string) { s.HTTPAddr = url },
		"database":     func(s *config.Settings, url string) { s.DatabaseURL = url + " " },
		"broker":       func(s *config.Settings, url string) { s.BrokerURL = url },
		"option":       func(s *config.Settings, _ string) { s.BrokerURL = "nats://user:pa?" + password + "@nats:4222" },
		"keys":         func(s *config.Settings, url string) { s.JWKSURL = url },
		"keys, port":   func(s *config.Settings, _ string) { s.JWKSURL = "http://user:" + password + "@host:port/" },
		"origin":       func(s *config.Settings, _ string) { s.CORSOrigins = "https://user:" + password + "@shop.example" },
		"proxies":      func(s *config.Settings, url string) { s.TrustedProxies = url },
		"admin":        func(s *config.Settings, url string) { s.AdminEmail = url },
		"level of log": func(s *config.Settings, url string) { s.LogLevel = url },
	} {
		s := usual()
		change(&s, "amqp://user:"+password+"@host:5672/")
		_, err := s.Parse(services)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), password, name)
	}
}
