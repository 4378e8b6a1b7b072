// Package config reads Millrace's settings: one definition of flags, environment and help, checked all at once.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/user"
	"github.com/millrace/millrace/app/user/command"
)

// Names of services that settings depend on.
const (
	ServiceUser = "user" // hashes passwords and signs tokens; the others need its keys
	serviceAll  = "all"
)

// Settings is the one definition of flags, environment and help. Everything is taken as text, so that Parse can report every problem
// at once, in words.
type Settings struct {
	Service          string `env:"MILLRACE_SERVICE" default:"all" help:"Which services to run: all, or one or more of user, order, event with commas."`
	HTTPAddr         string `name:"http-addr" env:"MILLRACE_HTTP_ADDR" default:"127.0.0.1:8080" help:"Where the API listens."`
	OpsAddr          string `name:"ops-addr" env:"MILLRACE_OPS_ADDR" help:"Where /metrics is served instead of the API's address."`
	DataDir          string `name:"data-dir" env:"MILLRACE_DATA_DIR" default:"./data" help:"Folder of the embedded parts; locked while in use."`
	DatabaseURL      string `name:"database-url" env:"MILLRACE_DATABASE_URL" default:"sqlite:" help:"sqlite: or mysql://user:password@host:3306/"`
	BrokerURL        string `name:"broker-url" env:"MILLRACE_BROKER_URL" default:"embedded:" help:"embedded:, nats://[user:password@]host:4222[,host2:4222], tls://…, with ?creds=FILE, or memory: (lost at the end; for tests)."`
	EmbeddedNATSAddr string `name:"embedded-nats-addr" env:"MILLRACE_EMBEDDED_NATS_ADDR" help:"Where the embedded NATS server also listens for outside clients; empty: nowhere. Needs a password or users."`
	EmbeddedNATSPass string `name:"embedded-nats-password" env:"MILLRACE_EMBEDDED_NATS_PASSWORD" help:"Password there of the user millrace, who may use all subjects."`
	EmbeddedNATSFile string `name:"embedded-nats-users" env:"MILLRACE_EMBEDDED_NATS_USERS" help:"File of further users there and their permissions, as in deploy/nats.conf."`
	SecretKey        string `name:"secret-key" env:"MILLRACE_SECRET_KEY" help:"Encrypts signing keys and signs cursors; the same for all replicas. Needed with MySQL; otherwise kept in secret.key in the data folder."`
	JWKSURL          string `name:"jwks-url" env:"MILLRACE_JWKS_URL" help:"Where order and event fetch the public keys when they run alone: http://user:8080/.well-known/jwks.json"`
	AdminEmail       string `name:"admin-email" env:"MILLRACE_ADMIN_EMAIL" default:"admin@localhost" help:"E-mail address of the admin made at the first start."`
	AdminPassword    string `name:"admin-password" env:"MILLRACE_ADMIN_PASSWORD" help:"Password of that admin; without one it is drawn and printed once."`
	Upstreams        string `name:"upstreams" env:"MILLRACE_UPSTREAMS" help:"Where the services listen, for millrace gateway: user=http://user:8080,order=http://order:8080,event=http://event:8080"`
	TrustedProxies   string `name:"trusted-proxies" env:"MILLRACE_TRUSTED_PROXIES" help:"Networks whose X-Forwarded-For is believed: 10.0.0.0/8,192.0.2.7. Without it a caller's address is that of the connection."`
	CORSOrigins      string `name:"cors-origins" env:"MILLRACE_CORS_ORIGINS" help:"Origins whose pages may call the API: https://shop.example,http://localhost:5173."`
	DrainDelay       string `name:"drain-delay" env:"MILLRACE_DRAIN_DELAY" default:"0s" help:"How long a stop still answers requests while readiness fails: longer than the pause between two probes of the proxy before it, for example 6s."`
	RateLimits       string `name:"rate-limits" env:"MILLRACE_RATE_LIMITS" default:"on" help:"on or off; off is for benchmarks."`
	LogFormat        string `name:"log-format" env:"MILLRACE_LOG_FORMAT" help:"text or json; by default text on a terminal."`
	LogLevel         string `name:"log-level" env:"MILLRACE_LOG_LEVEL" default:"info" help:"debug, info, warn or error."`
}

// BrokerKind is the kind of broker that the URL names.
type BrokerKind int

// The kinds of broker.
const (
	BrokerEmbedded BrokerKind = iota
	BrokerNATS
	BrokerMemory
)

// Config is the checked configuration, handed on by value.
type Config struct {
	Services       []string
	HTTPAddr       string
	OpsAddr        string // empty: the API's
	DataDir        string
	DatabaseURL    string
	Dialect        sqldb.Dialect
	Broker         BrokerKind
	BrokerURL      string
	EmbeddedNATS   EmbeddedNATS
	SecretKey      string // empty: from the data folder
	JWKSURL        string
	Upstreams      map[string]*url.URL // by service; for the gateway
	AdminEmail     string
	AdminPassword  string
	TrustedProxies []netip.Prefix
	CORSOrigins    []string
	DrainDelay     time.Duration // how long requests are still answered while readiness fails
	RateLimits     bool
	LogJSON        bool
	LogLevel       slog.Level
}

// Runs reports whether the process runs the service.
func (c Config) Runs(service string) bool { return slices.Contains(c.Services, service) }

// DatabaseName returns the name of a service's database.
func (c Config) DatabaseName(service string) string {
	return sqldb.NamePrefix(c.DatabaseURL) + "_" + service
}

// Embedded reports whether the process keeps anything in the data folder.
func (c Config) Embedded() bool { return c.Dialect == sqldb.SQLite || c.Broker == BrokerEmbedded }

// Title names the services, the database and the broker, for people.
func (c Config) Title() string {
	broker := map[BrokerKind]string{BrokerEmbedded: "embedded NATS", BrokerNATS: "NATS", BrokerMemory: "a broker in memory"}[c.Broker]
	database := map[sqldb.Dialect]string{sqldb.SQLite: "SQLite", sqldb.MySQL: "MySQL"}[c.Dialect]
	return strings.Join(c.Services, ", ") + " on " + database + " and " + broker
}

// Parse checks s as a whole and returns the configuration. services are the names of all that there are, in the order of their start.
// The error names every problem, each with what to do, and repeats no secret.
func (s Settings) Parse(services []string) (Config, error) {
	c := Config{
		HTTPAddr: s.HTTPAddr, OpsAddr: s.OpsAddr, DataDir: s.DataDir, DatabaseURL: s.DatabaseURL, BrokerURL: s.BrokerURL,
		SecretKey: s.SecretKey, JWKSURL: s.JWKSURL,
		AdminEmail: s.AdminEmail, AdminPassword: s.AdminPassword,
	}
	var found problems
	var err error
	if c.Services, err = parseServices(s.Service, services); err != nil {
		found.add("MILLRACE_SERVICE", "%w", err)
	}
	s.checkAddresses(&found)
	s.parseBackends(&c, &found)
	if err := checkJWKS(s.JWKSURL, c.Services); err != nil {
		found.add("MILLRACE_JWKS_URL", "%w", err)
	}
	if s.Upstreams != "" {
		if c.Upstreams, err = parseUpstreams(s.Upstreams, services); err != nil {
			found.add("MILLRACE_UPSTREAMS", "%w", err)
		}
	}
	if len(c.Services) == 0 || c.Runs(ServiceUser) { // of a service that is misspelt everything is checked
		s.checkAdmin(&found)
	}
	s.parseEdge(&c, &found)
	if c.DrainDelay, err = parseDrainDelay(s.DrainDelay); err != nil {
		found.add("MILLRACE_DRAIN_DELAY", "%w", err)
	}
	s.parseLog(&c, &found)
	slices.SortFunc(found, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return c, errors.Join(found...)
}

// parseServices reads which services to run: all of them, or names with commas in any order.
func parseServices(raw string, all []string) (chosen []string, err error) {
	names := listed(raw)
	if slices.Equal(names, []string{serviceAll}) {
		return all, nil
	}
	unknown := func(name string) bool { return !slices.Contains(all, name) }
	if len(names) == 0 || slices.ContainsFunc(names, unknown) {
		return nil, fmt.Errorf("%q must be all, or one or more of %s with commas", raw, strings.Join(all, ", "))
	}
	for _, name := range all {
		if slices.Contains(names, name) {
			chosen = append(chosen, name)
		}
	}
	return chosen, nil
}

// problems are what is wrong with the Settings, each with the variable that it is about.
type problems []error

func (p *problems) add(name, format string, args ...any) {
	*p = append(*p, errors.New(Redact(fmt.Errorf(name+": "+format, args...).Error())))
}

func (s Settings) checkAddresses(found *problems) {
	for name, addr := range map[string]string{
		"MILLRACE_HTTP_ADDR": s.HTTPAddr, "MILLRACE_OPS_ADDR": s.OpsAddr, "MILLRACE_EMBEDDED_NATS_ADDR": s.EmbeddedNATSAddr,
	} {
		if addr == "" && name != "MILLRACE_HTTP_ADDR" {
			continue
		}
		if _, port, err := net.SplitHostPort(addr); err != nil || !isPort(port) {
			found.add(name, "%q is not host:port, for example 127.0.0.1:8080", addr)
		}
	}
}

// parseBackends reads where database and broker are, and checks what these need: a folder, a secret.
func (s Settings) parseBackends(c *Config, found *problems) {
	var err error
	if c.Dialect, err = sqldb.ParseURL(s.DatabaseURL); err != nil {
		found.add("MILLRACE_DATABASE_URL", "%w", err)
	} else if err = checkURLPassword(s.DatabaseURL); err != nil {
		found.add("MILLRACE_DATABASE_URL", "%w", err)
	}
	if c.Broker, err = parseBroker(s.BrokerURL); err != nil {
		found.add("MILLRACE_BROKER_URL", "%w", err)
	} else if err = checkURLPassword(s.BrokerURL); err != nil {
		found.add("MILLRACE_BROKER_URL", "%w", err)
	}
	s.parseEmbeddedNATS(c, found)
	if s.DataDir == "" && (c.Embedded() || s.SecretKey == "") {
		found.add("MILLRACE_DATA_DIR", "is empty; name a folder, for example ./data")
	}
	switch {
	case s.SecretKey == "" && c.Dialect == sqldb.MySQL:
		found.add("MILLRACE_SECRET_KEY", "is needed with MySQL, the same for all replicas; make one with: openssl rand -hex 32")
	case s.SecretKey != "":
		if err := CheckKey(s.SecretKey); err != nil {
			found.add("MILLRACE_SECRET_KEY", "%w", err)
		}
	}
}

func (s Settings) checkAdmin(found *problems) {
	email, ok := user.NormalEmail(s.AdminEmail)
	if !ok {
		found.add("MILLRACE_ADMIN_EMAIL", "%q is not an e-mail address", s.AdminEmail)
	}
	admin := user.User{Email: email, Name: command.AdminName}
	_, err := admin.CheckPassword("", s.AdminPassword)
	switch e, ok := errors.AsType[*fault.Error](err); {
	case s.AdminPassword == "": // it is drawn
	case placeholderPassword(s.AdminPassword), productName(s.AdminPassword):
		found.add("MILLRACE_ADMIN_PASSWORD", "is a placeholder from an example, which anybody can look up; "+
			"choose another, or leave it empty to have one drawn")
	case ok:
		found.add("MILLRACE_ADMIN_PASSWORD", "%s", e.Fields[0].Message)
	}
}

func (s Settings) parseLog(c *Config, found *problems) {
	switch s.LogFormat {
	case "text", "json":
		c.LogJSON = s.LogFormat == "json"
	case "":
		c.LogJSON = !isatty.IsTerminal(os.Stderr.Fd())
	default:
		found.add("MILLRACE_LOG_FORMAT", "%q is neither text nor json", s.LogFormat)
	}
	if err := c.LogLevel.UnmarshalText([]byte(s.LogLevel)); err != nil {
		found.add("MILLRACE_LOG_LEVEL", "%q must be debug, info, warn or error", s.LogLevel)
	}
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// errBroker names no part of the URL: it may hold a password.
var errBroker = errors.New(
	"must be embedded:, memory:, nats://[user:password@]host:4222[,host2:4222] or tls://…, with ?creds=FILE where needed")

func parseBroker(raw string) (BrokerKind, error) {
	switch {
	case raw == "embedded:":
		return BrokerEmbedded, nil
	case raw == "memory:":
		return BrokerMemory, nil
	case strings.HasPrefix(raw, "nats://") && len(raw) > len("nats://"), strings.HasPrefix(raw, "tls://") && len(raw) > len("tls://"):
		if natsjs.CheckURL(raw) != nil {
			return BrokerNATS, errBroker
		}
		return BrokerNATS, nil
	}
	return BrokerNATS, errBroker
}

func checkJWKS(raw string, services []string) error {
	if raw == "" {
		if len(services) > 0 && !slices.Contains(services, ServiceUser) {
			return fmt.Errorf("is needed when %s runs without the user service: http://HOST:PORT/.well-known/jwks.json of the user service",
				strings.Join(services, ", "))
		}
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("is no http or https URL; for example http://user:8080/.well-known/jwks.json")
	}
	return nil
}
