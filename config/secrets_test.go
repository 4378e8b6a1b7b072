package config_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/config"
)

func TestPlaceholdersAndShortKeysAreRefusedAsSecretKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ key, says string }{
		"former example":          {"change-me-to-32-random-bytes-or-more", "MILLRACE_SECRET_KEY: holds 27 bytes"},
		"longer placeholder":      {"please Change_Me to thirty-two bytes, at the very least", "is a placeholder"},
		"key that says it is one": {"secret-key-of-this-run-alone-0123456789-and-some-more", "is a placeholder"},
		"16 characters":           {"0123456789abcdef", "holds 8 bytes"},
		"31 bytes in hex":         {"0f" + strings.Repeat("17", 30), "holds 31 bytes"},
		"24 bytes in base64":      {"q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ", "holds 24 bytes"},
		"zeros":                   {strings.Repeat("0", 64), "repeats itself"},
		"one character":           {strings.Repeat("x", 100), "repeats itself"},
		"the digits in a row":     {strings.Repeat("0123456789abcdef", 4), "repeats itself"},
		"the alphabet":            {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "repeats itself"},
		"a phrase twice":          {strings.Repeat("the quick brown fox jumps! ", 2), "repeats itself"},
		"two digits":              {"0110100110010110100101100110100110010110011010010110100110010110", "repeats itself"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := usual()
			s.SecretKey = c.key
			_, err := s.Parse(services)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "openssl rand -hex 32")
			require.NotContains(t, err.Error(), c.key)
		})
	}
}

func TestRandomKeysAreAccepted(t *testing.T) {
	t.Parallel()
	for range 20_000 {
		drawn := make([]byte, 32)
		_, err := rand.Read(drawn)
		require.NoError(t, err)
		for _, key := range []string{
			hex.EncodeToString(drawn), strings.ToUpper(hex.EncodeToString(drawn)),
			base64.StdEncoding.EncodeToString(drawn), base64.RawURLEncoding.EncodeToString(drawn), rand.Text() + rand.Text(),
		} {
			require.NoError(t, config.CheckKey(key), key)
		}
	}
}

func TestPlaceholderPasswordsAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*config.Settings)
		says   string
	}{
		"admin":         {func(s *config.Settings) { s.AdminPassword = "change-me-at-the-first-sign-in" }, "ADMIN_PASSWORD: is a placeholder"},
		"README's":      {func(s *config.Settings) { s.AdminPassword = "Gristmill by the River" }, "MILLRACE_ADMIN_PASSWORD: is a placeholder"},
		"database":      {func(s *config.Settings) { s.DatabaseURL = "mysql://user:changeMeUser@mysql:3306/" }, "DATABASE_URL: its password is"},
		"database, DSN": {func(s *config.Settings) { s.DatabaseURL = "user:change-me@tcp(mysql:3306)/" }, "DATABASE_URL: its password is"},
		"escaped":       {func(s *config.Settings) { s.DatabaseURL = "mysql://user:change%4De@mysql/" }, "DATABASE_URL: its password is"},
		"broker":        {func(s *config.Settings) { s.BrokerURL = "nats://a:1,user:changeMeUser@b:2" }, "MILLRACE_BROKER_URL: its password is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := usual()
			s.SecretKey = testSecret
			c.change(&s)
			_, err := s.Parse(services)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "changeMe")
		})
	}
}

func TestWeakPasswordsInURLsAreWarnedOf(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	config.WarnOfWeakPasswords(config.Config{DatabaseURL: "mysql://user:drawn9f2c@mysql/", BrokerURL: "nats://nats:4222"}, logger)
	require.Empty(t, log.String())
	config.WarnOfWeakPasswords(config.Config{DatabaseURL: "mysql://user:Password@mysql/", BrokerURL: "nats://user:secret@nats:4222"}, logger)
	require.Contains(t, log.String(), "setting=MILLRACE_DATABASE_URL")
	require.Contains(t, log.String(), "setting=MILLRACE_BROKER_URL")
	require.NotContains(t, log.String(), "@mysql")
}

// What .env.example names must be filled in: it shows no value that somebody could leave as it is, and compose refuses an empty one in
// words.
func TestEnvironmentExampleContainsNoSecrets(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../.env.example")
	require.NoError(t, err)
	compose, err := os.ReadFile("../docker-compose.yml")
	require.NoError(t, err)
	secrets := regexp.MustCompile(`(?m)^([A-Z_]+(?:_PASSWORD|_KEY))=(.*)$`).FindAllStringSubmatch(string(example), -1)
	require.GreaterOrEqual(t, len(secrets), 9)
	for _, secret := range secrets {
		require.Empty(t, secret[2], "%s has a value that works", secret[1])
		require.Regexp(t, `\$\{`+secret[1]+`:\?[^}]+\}`, string(compose), "compose starts with an empty %s", secret[1])
	}
	for _, used := range regexp.MustCompile(`\$\{([A-Z_]+)([^}]*)\}`).FindAllStringSubmatch(string(compose), -1) {
		require.True(t, strings.HasPrefix(used[2], ":?"), "compose takes an empty %s", used[1])
	}
}

func TestPlaceholdersOfAnySpellingAreRefusedAsAdminPassword(t *testing.T) {
	t.Parallel()
	for _, password := range []string{
		"please-change", "replace_me_1", "fill_me_in", "insert here", "choose a password", "example-password", "todo-todo", "ch4ngeme",
		"millrace", "millrace123", "Change_this!",
	} {
		s := usual()
		s.AdminPassword = password
		_, err := s.Parse(services)
		require.ErrorContains(t, err, "MILLRACE_ADMIN_PASSWORD: ", password)
	}
	s := usual()
	s.AdminPassword = "a millrace turns the old wheel"
	_, err := s.Parse(services)
	require.NoError(t, err)
}
