package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/ports/rest"
	"github.com/millrace/millrace/router"
)

// platform is what the services of a process are built from. None of it is a connection: those each service has for itself.
type platform struct {
	cfg      config
	secret   string
	log      *slog.Logger
	registry *prometheus.Registry
	brokers  *brokers
	out      io.Writer // for people
}

// serviceName is the name of the service that an injector builds.
type serviceName string

func (n serviceName) source() string { return "/millrace/" + string(n) }

func (n serviceName) database(cfg config) string {
	return sqldb.NamePrefix(cfg.DatabaseURL) + "_" + string(n)
}

func newClock() func() time.Time { return time.Now }

func newIDs() func() uuid.UUID { return func() uuid.UUID { return uuid.Must(uuid.NewV7()) } }

// key derives a key of 32 bytes for one purpose from the secret key.
func (p platform) key(purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, []byte(p.secret), nil, "millrace "+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of %s: %w", purpose, err)
	}
	return key, nil
}

func newCursors(p platform) (rest.Cursors, error) {
	key, err := p.key("cursors")
	if err != nil {
		return rest.Cursors{}, err
	}
	return rest.NewCursors(key), nil
}

func newDatabase(p platform, name serviceName) (*sqldb.DB, func(), error) {
	log := p.log.With("service", string(name))
	db, err := sqldb.Open(sqldb.Config{URL: p.cfg.DatabaseURL, DataDir: p.cfg.DataDir, Name: name.database(p.cfg), Logger: log})
	if err != nil {
		return nil, nil, err
	}
	return db, func() {
		if err := db.Close(); err != nil {
			log.Warn("closing the database failed", "error", err)
		}
	}, nil
}

func newLimits(p platform, db *sqldb.DB, now func() time.Time) (*sqldb.Limits, error) {
	key, err := p.key("limits")
	if err != nil {
		return nil, err
	}
	return sqldb.NewLimits(db, key, now), nil
}

// newAccess knows changes of access for as long as a token may be older than they are.
func newAccess(db *sqldb.DB) *sqldb.Access { return sqldb.NewAccess(db, jwks.AccessLasts) }

// newEdge is what the service brings to the edge of its operations.
func newEdge(p platform, access *sqldb.Access, limits *sqldb.Limits) (rest.Service, error) {
	secret, err := p.key("idempotency keys")
	edge := rest.Service{Access: access, Secret: secret}
	if p.cfg.RateLimits {
		edge.Limits = limits
	}
	return edge, err
}

func newBroker(ctx context.Context, p platform, name serviceName) (broker, func(), error) {
	b, err := p.brokers.connect(ctx, string(name))
	if err != nil {
		return nil, nil, err
	}
	return b, b.Close, nil
}

func newOutbox(db *sqldb.DB, name serviceName, newID func() uuid.UUID, now func() time.Time) *sqldb.Outbox {
	return sqldb.NewOutbox(db, sqldb.OutboxConfig{Source: name.source(), NewID: newID, Now: now})
}

func newRelay(p platform, name serviceName, outbox *sqldb.Outbox, b broker, newID func() uuid.UUID) (*router.Relay, error) {
	return router.NewRelay(router.RelayConfig{
		Service: string(name), Outbox: outbox, Broker: b, Holder: holderName(newID),
		Logger: p.log, Metrics: p.registry,
	})
}

// holderName names this process among the replicas of a service, for people and for the lease.
func holderName(newID func() uuid.UUID) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%.64s/%d/%s", host, os.Getpid(), newID())
}

func newRouter(p platform, name serviceName, db *sqldb.DB, failures *sqldb.Failures, now func() time.Time) (*router.Router, error) {
	return router.New(router.Config{
		Service: string(name), Failures: failures, Probe: db.Ping, HandlingLimit: handlingLimit, GapTimeout: gapTimeout,
		CloseTimeout: drainTimeout, Logger: p.log, Metrics: p.registry, Now: now, Jitter: jitter,
	})
}

func newFailures(db *sqldb.DB, outbox *sqldb.Outbox, now func() time.Time) *sqldb.Failures {
	return sqldb.NewFailures(db, outbox, gapTimeout, now)
}

// noRouter is the router of a service that takes no messages.
func noRouter() *router.Router { return nil }

// jitter draws from [0, 1).
func jitter() float64 { return float64(rand.N(1<<20)) / (1 << 20) } //nolint:gosec // no secret

// runtime is what each service has, whatever it does.
type runtime struct {
	platform platform
	name     serviceName
	db       *sqldb.DB
	access   *sqldb.Access
	edge     rest.Service
	broker   broker
	relay    *router.Relay
	router   *router.Router
}

// service gives the service that runs on r. purged are the tables of its own that are purged, streams those that it publishes to or reads.
func (r runtime) service(migrations fs.FS, purged []sqldb.Expiring, streams ...string) *service {
	return &service{
		name: string(r.name), db: r.db, migrations: migrations, broker: r.broker, streams: streams, relay: r.relay, router: r.router,
		access: r.access, edge: r.edge, foremost: []func(context.Context) error{r.access.Run},
		workers: []func(context.Context) error{sqldb.NewPurge(r.db, newClock(), purged...).Run},
		log:     r.platform.log.With("service", string(r.name)),
	}
}

// allServices are the services of `MILLRACE_SERVICE=all`.
type allServices struct {
	user  userService
	order orderService
	event eventService
}

// system is what runs in this process, with the verifier of access tokens and what closes it all.
type system struct {
	services []*service
	verifier rest.Verifier
	close    func()
}

// initialize builds the services that the configuration names.
func initialize(ctx context.Context, p platform) (system, error) {
	if !p.cfg.alone() {
		all, closeAll, err := initializeAll(ctx, p)
		services := []*service{all.user.service, all.order.service, all.event.service}
		return system{services, jwks.NewVerifier(all.user.keys, time.Now), closeAll}, err
	}
	switch p.cfg.Services[0] {
	case serviceUser:
		s, closeUser, err := initializeUser(ctx, p)
		return system{[]*service{s.service}, jwks.NewVerifier(s.keys, time.Now), closeUser}, err
	case serviceOrder:
		s, closeOrder, err := initializeOrder(ctx, p)
		if err != nil {
			return system{}, err
		}
		return system{[]*service{s.service}, p.remoteVerifier(s.service), closeOrder}, nil
	default:
		s, closeEvent, err := initializeEvent(ctx, p)
		if err != nil {
			return system{}, err
		}
		return system{[]*service{s.service}, p.remoteVerifier(s.service), closeEvent}, nil
	}
}

// remoteVerifier verifies with the keys that the user service publishes. Until s has fetched them once it is not ready: it could answer
// nobody.
func (p platform) remoteVerifier(s *service) *jwks.Verifier {
	keys := jwks.NewRemote(p.cfg.JWKSURL, &http.Client{Timeout: 5 * time.Second}, time.Now)
	s.foremost = append(s.foremost, func(ctx context.Context) error { return keys.Run(ctx, s.log) })
	s.checks = append(s.checks,
		rest.Check{Name: s.name + "_keys", Need: rest.Required, Probe: keys.Ready},
		rest.Check{Name: s.name + "_keys_fresh", Need: rest.Degrades, Probe: keys.Fresh})
	return jwks.NewVerifier(keys, time.Now)
}
