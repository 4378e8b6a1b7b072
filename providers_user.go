package main

import (
	"context"
	"crypto/rand"
	"fmt"
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

// firstAdmin is who can sign in before anybody has registered.
type firstAdmin struct {
	platform platform
	ensure   *command.EnsureAdminHandler
	replace  *command.ReplaceDrawnPasswordHandler
}

func newFirstAdmin(p platform, ensure *command.EnsureAdminHandler, replace *command.ReplaceDrawnPasswordHandler) firstAdmin {
	return firstAdmin{p, ensure, replace}
}

// prepare makes the first admin at the first start. A password that nobody chose is drawn and printed once; if that was lost, a later start
// with a chosen one replaces it.
func (a firstAdmin) prepare(ctx context.Context) error {
	email, password := a.platform.cfg.AdminEmail, a.platform.cfg.AdminPassword
	if password == "" {
		return a.draw(ctx, email)
	}
	made, err := a.ensure.Handle(ctx, command.EnsureAdmin{Email: email, Password: password})
	if err != nil {
		return err
	}
	if made {
		return a.tell("The first admin was made.\n  e-mail         %s\n  password       as in MILLRACE_ADMIN_PASSWORD\n", email)
	}
	replaced, err := a.replace.Handle(ctx, command.ReplaceDrawnPassword{Email: email, Password: password})
	if err != nil || !replaced {
		return err
	}
	return a.tell("The drawn password of %s was replaced by that in MILLRACE_ADMIN_PASSWORD.\n", email)
}

func (a firstAdmin) draw(ctx context.Context, email string) error {
	password := rand.Text()
	made, err := a.ensure.Handle(ctx, command.EnsureAdmin{Email: email, Password: password, Drawn: true})
	if err != nil || !made {
		return err
	}
	return a.tell("The first admin was made.\n  e-mail         %s\n  password       %s\n"+
		"  Change it first: sign in with it, then PUT /api/users/{id}/password; everything else is refused until then.\n", email, password)
}

func (a firstAdmin) tell(format string, args ...any) error {
	_, err := fmt.Fprintf(a.platform.out, format, args...)
	return err
}
