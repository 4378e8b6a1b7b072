package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/app/user/common"
)

// EmbeddedNATS says where the embedded server listens for outside clients, and who they may be.
type EmbeddedNATS struct {
	Addr     string // empty: nowhere
	Password string // of natsjs.EmbeddedUser; empty: there is no such user
	Users    natsjs.Users
}

// parseEmbeddedNATS reads the way into the embedded server. Whoever can publish there can forge events, so there is none without
// authentication.
func (s Settings) parseEmbeddedNATS(c *Config, found *problems) {
	c.EmbeddedNATS.Addr, c.EmbeddedNATS.Password = s.EmbeddedNATSAddr, s.EmbeddedNATSPass
	switch {
	case s.EmbeddedNATSAddr != "" && c.Broker != BrokerEmbedded:
		found.add("MILLRACE_EMBEDDED_NATS_ADDR", "needs MILLRACE_BROKER_URL=embedded:")
	case s.EmbeddedNATSAddr != "" && s.EmbeddedNATSPass == "" && s.EmbeddedNATSFile == "":
		found.add("MILLRACE_EMBEDDED_NATS_ADDR", "needs MILLRACE_EMBEDDED_NATS_PASSWORD, or a file of users as MILLRACE_EMBEDDED_NATS_USERS:"+
			" whoever connects without could forge events; make a password with: openssl rand -hex 24")
	}
	if s.EmbeddedNATSPass != "" {
		if err := CheckBrokerPassword(natsjs.EmbeddedUser, s.EmbeddedNATSPass); err != nil {
			found.add("MILLRACE_EMBEDDED_NATS_PASSWORD", "%w", err)
		}
		if s.EmbeddedNATSAddr == "" {
			found.add("MILLRACE_EMBEDDED_NATS_PASSWORD", "needs MILLRACE_EMBEDDED_NATS_ADDR: without it nobody can connect from outside")
		}
	}
	if s.EmbeddedNATSFile != "" {
		var err error
		if c.EmbeddedNATS.Users, err = readBrokerUsers(s.EmbeddedNATSFile); err != nil {
			found.add("MILLRACE_EMBEDDED_NATS_USERS", "%w", err)
		}
		if s.EmbeddedNATSAddr == "" {
			found.add("MILLRACE_EMBEDDED_NATS_USERS", "needs MILLRACE_EMBEDDED_NATS_ADDR: without it nobody can connect from outside")
		}
	}
}

func readBrokerUsers(file string) (natsjs.Users, error) {
	users, err := natsjs.ReadUsers(file)
	if err != nil {
		return users, err
	}
	passwords := users.Passwords()
	for _, name := range slices.Sorted(maps.Keys(passwords)) {
		if err := CheckBrokerPassword(name, passwords[name]); err != nil {
			return users, fmt.Errorf("%s: the password of %s %w", file, name, err)
		}
	}
	return users, nil
}

// The least that a broker's password must have: nothing slows down who tries many.
const (
	minBrokerPassword   = 12 // characters
	minBrokerCharacters = 6  // different ones
)

// CheckBrokerPassword refuses a password that can be guessed. The error follows the name of what is wrong and repeats nothing of it.
func CheckBrokerPassword(user, password string) error {
	different := map[rune]bool{}
	for _, r := range password {
		different[r] = true
	}
	const advice = "; make one with: openssl rand -hex 24"
	switch lower := strings.ToLower(password); {
	case len(password) < minBrokerPassword:
		return fmt.Errorf("is shorter than %d characters%s", minBrokerPassword, advice)
	case len(different) < minBrokerCharacters:
		return fmt.Errorf("has fewer than %d different characters%s", minBrokerCharacters, advice)
	case placeholderPassword(password), common.Password(password), strings.Trim(lower, "0123456789") == "",
		len(strings.ReplaceAll(lower, strings.ToLower(user), "")) < minBrokerCharacters:
		return errors.New("can be guessed" + advice)
	}
	return nil
}
