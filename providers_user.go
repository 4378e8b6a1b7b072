package main

import (
	"context"
	"crypto/rand"
	"io"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/millrace/millrace/adapters/argon"
	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/usersql"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/ports/userhttp"
)

// userService is the user service, wired, with the keys by which the other services of the process verify tokens.
type userService struct {
	*service

	keys *jwks.Keyring
}

// hashesAtOnce bounds the memory of password hashing: 46 MiB each.
const hashesAtOnce = 3

func newHasher() *argon.Hasher { return argon.New(hashesAtOnce, rand.Reader) }

func newKeyring(p platform, store *usersql.Store, now func() time.Time) (*jwks.Keyring, error) {
	secret, err := p.key("signing keys")
	if err != nil {
		return nil, err
	}
	return jwks.NewKeyring(jwks.KeyringConfig{
		Store: store, Secret: secret, Random: rand.Reader, Now: now, Logger: p.log.With("service", serviceUser),
	})
}

func newRandom() io.Reader { return rand.Reader }

// newGuard counts wrong passwords, unless limits are off.
func newGuard(p platform, limits *sqldb.Limits, store *usersql.Store, now func() time.Time) (*command.Guard, error) {
	key, err := p.key("addresses of sign-ins")
	if err != nil {
		return nil, err
	}
	if !p.cfg.RateLimits {
		return command.NewGuard(nil, store, key, now), nil
	}
	return command.NewGuard(limits, store, key, now), nil
}

func newUserService(r runtime, http userhttp.Handlers, keys *jwks.Keyring, admin firstAdmin) userService {
	s := r.service(migrations[serviceUser], usersql.Expiring, natsjs.Events)
	s.workers = append(s.workers, keys.Run)
	s.routes = func(api huma.API) { userhttp.Register(api, http) }
	s.prepare = func(ctx context.Context) error {
		if err := keys.Open(ctx); err != nil {
			return err
		}
		return admin.prepare(ctx)
	}
	return userService{s, keys}
}
