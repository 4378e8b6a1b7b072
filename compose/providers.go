// Package compose builds the services: it is the only place that knows every adapter, every port and every use case. Providers are plain
// functions; the injectors that call them are generated (wire.go at the root).
package compose

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/lifecycle"
	"github.com/millrace/millrace/ports/rest"
	"github.com/millrace/millrace/process"
	"github.com/millrace/millrace/router"
	"github.com/millrace/millrace/router/relay"
)

// Platform is what the services of a process are built from. None of it is a connection: those each service has for itself.
type Platform struct {
	process.Platform

	brokers *brokers
}

// NewClock returns the clock of everything in the process.
func NewClock() func() time.Time { return time.Now }

// NewIDs returns the source of IDs: UUIDs of version 7, which grow with time.
func NewIDs() func() uuid.UUID { return func() uuid.UUID { return uuid.Must(uuid.NewV7()) } }

// key derives a key of 32 bytes for one purpose from the secret key.
func (p Platform) key(purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, []byte(p.Secret), nil, "millrace "+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of %s: %w", purpose, err)
	}
	return key, nil
}

// NewCursors returns what seals the cursors of lists.
func NewCursors(p Platform) (rest.Cursors, error) {
	key, err := p.key("cursors")
	if err != nil {
		return rest.Cursors{}, err
	}
	return rest.NewCursors(key), nil
}

// NewDatabase opens the service's database. It does not reach for the server.
func NewDatabase(p Platform, d Description) (*sqldb.DB, func(), error) {
	log := p.Log.With("service", d.Name)
	db, err := sqldb.Open(sqldb.Config{
		URL: p.Config.DatabaseURL, DataDir: p.Config.DataDir, Name: p.Config.DatabaseName(d.Name), Logger: log, Intact: p.Intact,
	})
	if err != nil {
		return nil, nil, err
	}
	return db, func() {
		if err := db.Close(); err != nil {
			log.Warn("closing the database failed", "error", err)
		}
	}, nil
}

// NewLimits returns the rate limits, which all replicas of the service share.
func NewLimits(p Platform, db *sqldb.DB, now func() time.Time) (*sqldb.Limits, error) {
	key, err := p.key("limits")
	if err != nil {
		return nil, err
	}
	return sqldb.NewLimits(db, key, now), nil
}

// NewAccess knows changes of access for as long as a token may be older than they are.
func NewAccess(db *sqldb.DB) *sqldb.Access { return sqldb.NewAccess(db, jwks.AccessLasts) }

// NewEdge is what the service brings to the edge of its operations.
func NewEdge(p Platform, access *sqldb.Access, limits *sqldb.Limits) (rest.Service, error) {
	secret, err := p.key("idempotency keys")
	edge := rest.Service{Access: access, Secret: secret}
	if p.Config.RateLimits {
		edge.Limits = limits
	}
	return edge, err
}

// NewBroker connects the service to its broker. It does not wait for the broker.
func NewBroker(ctx context.Context, p Platform, d Description) (lifecycle.Broker, func(), error) {
	b, err := p.brokers.connect(ctx, d.Name)
	if err != nil {
		return nil, nil, err
	}
	return b, b.Close, nil
}

// NewOutbox returns the service's outbox.
func NewOutbox(db *sqldb.DB, d Description, newID func() uuid.UUID, now func() time.Time) *sqldb.Outbox {
	return sqldb.NewOutbox(db, sqldb.OutboxConfig{Source: d.Source(), NewID: newID, Now: now})
}

// NewRelay returns what moves the outbox to the broker.
func NewRelay(p Platform, d Description, outbox *sqldb.Outbox, b lifecycle.Broker, newID func() uuid.UUID) (*relay.Relay, error) {
	return relay.New(relay.Config{
		Service: d.Name, Outbox: outbox, Broker: b, Holder: holderName(newID),
		Logger: p.Log, Metrics: p.Registry,
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

// NewRequeueKey returns the key of what goes back to a consumer. It comes from the secret key alone, so that all services have the same.
func NewRequeueKey(p Platform) (envelope.RequeueKey, error) {
	key, err := p.key("requeued messages")
	return envelope.NewRequeueKey(key), err
}

// NewRouter returns the router of the service's consumers, nil where it has none.
func NewRouter(
	p Platform, d Description, db *sqldb.DB, failures *sqldb.Failures, requeued envelope.RequeueKey, now func() time.Time,
) (*router.Router, error) {
	if len(d.Consumers) == 0 {
		return nil, nil //nolint:nilnil // a service without consumers has no router
	}
	return router.New(router.Config{
		Service: d.Name, Failures: failures, Requeued: requeued, Probe: db.Ping, HandlingLimit: handlingLimit, GapTimeout: gapTimeout,
		CloseTimeout: drainTimeout, Types: eventTypes(), Logger: p.Log, Metrics: p.Registry, Now: now, Jitter: jitter,
	})
}

// NewFailures returns the count of failed attempts.
func NewFailures(db *sqldb.DB, outbox *sqldb.Outbox, now func() time.Time) *sqldb.Failures {
	return sqldb.NewFailures(db, outbox, gapTimeout, now)
}

// jitter draws from [0, 1).
func jitter() float64 { return float64(rand.N(1<<20)) / (1 << 20) } //nolint:gosec // no secret

// Runtime is what each service has, whatever it does.
type Runtime struct {
	Platform    Platform
	Description Description
	DB          *sqldb.DB
	Access      *sqldb.Access
	Edge        rest.Service
	Broker      lifecycle.Broker
	Relay       *relay.Relay
	Router      *router.Router
}

// service returns the service that runs on r. consumers say how the consumers of its description handle their messages.
func (r Runtime) service(consumers map[string]lifecycle.Consumer) (*process.Service, error) {
	d := r.Description
	s := &process.Service{Edge: r.Edge, Config: lifecycle.Config{
		Name: d.Name, Database: r.DB, Broker: r.Broker, Streams: d.Streams(), Relay: r.Relay, Router: r.Router,
		Prepare: []func(context.Context) error{
			func(ctx context.Context) error { return r.DB.Migrate(ctx, d.Migrations) },
			r.Access.Load,
		},
		EarlyWorkers: []lifecycle.Worker{{Name: "access", Run: r.Access.Run}},
		Workers:      []lifecycle.Worker{{Name: "purge", Run: sqldb.NewPurge(r.DB, NewClock(), d.Expiring...).Run}},
		Logger:       r.Platform.Log, Advice: sqldb.Advice,
	}}
	if len(consumers) != len(d.Consumers) {
		return nil, fmt.Errorf("the %s service handles %d consumers, its description names %d", d.Name, len(consumers), len(d.Consumers))
	}
	for _, described := range d.Consumers {
		c, ok := consumers[described.Name]
		if !ok {
			return nil, fmt.Errorf("nothing handles the consumer %s of the %s service", described.Name, d.Name)
		}
		c.Name, c.Topics = described.Name, described.Topics()
		if described.NeverPoison {
			c.Options = append(c.Options, router.NeverPoison())
		}
		s.Consumers = append(s.Consumers, c)
	}
	return s, nil
}
