package compose

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/adapters/argon"
	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/usersql"
	"github.com/millrace/millrace/app/backoff"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/config"
	"github.com/millrace/millrace/lifecycle"
	"github.com/millrace/millrace/ports/userhttp"
	"github.com/millrace/millrace/process"
)

// User describes the user service.
var User = Description{
	Name: config.ServiceUser, Summary: "Publishes the events of accounts and reads none.",
	Migrations: usersql.Migrations,
	Paths:      []string{"/api/users", "/api/auth", "/.well-known"},
	Events:     contract.UserEvents(), Expiring: usersql.Expiring,
}

// hashesAtOnce bounds the memory of password hashing: 46 MiB each.
const hashesAtOnce = 3

// NewHasher returns what hashes passwords.
func NewHasher() *argon.Hasher { return argon.New(hashesAtOnce, rand.Reader) }

// NewKeyring returns the keys that sign access tokens.
func NewKeyring(p Platform, store *usersql.Store, now func() time.Time) (*jwks.Keyring, error) {
	secret, err := p.key("signing keys")
	if err != nil {
		return nil, err
	}
	return jwks.NewKeyring(jwks.KeyringConfig{
		Store: store, Secret: secret, Random: rand.Reader, Now: now, Logger: p.Log.With("service", config.ServiceUser),
	})
}

// NewRandom returns the source of randomness for secrets.
func NewRandom() io.Reader { return rand.Reader }

// NewGuard counts wrong passwords, unless limits are off.
func NewGuard(p Platform, limits *sqldb.Limits, store *usersql.Store, hasher *argon.Hasher, now func() time.Time) (*command.Guard, error) {
	key, err := p.key("addresses of sign-ins")
	if err != nil {
		return nil, err
	}
	c := command.GuardConfig{Known: store, Hasher: hasher, Key: key, Now: now}
	if p.Config.RateLimits {
		c.Limits = limits
	}
	return command.NewGuard(c), nil
}

// openKeys returns the step that opens the signing keys. Keys of another secret stay closed however often it is tried.
func openKeys(keys *jwks.Keyring) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		err := keys.Open(ctx)
		if errors.Is(err, jwks.ErrSecret) {
			return backoff.Permanent(err)
		}
		return err
	}
}

// NewUserService returns the user service. The other services of the process verify tokens with its keys.
func NewUserService(r Runtime, http userhttp.Handlers, keys *jwks.Keyring, admin FirstAdmin) (*process.Service, error) {
	s, err := r.service(nil)
	if err != nil {
		return nil, err
	}
	s.Workers = append(s.Workers, lifecycle.Worker{Name: "key rotation", Run: keys.Run})
	s.Routes = func(api huma.API) { userhttp.Register(api, http) }
	s.Prepare = append(s.Prepare, openKeys(keys), admin.prepare)
	s.Verifier = jwks.NewVerifier(keys, time.Now, jwks.WithLogger(s.Logger))
	return s, nil
}
