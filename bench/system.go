package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace/millrace/bench/cluster"
)

// system is the system under test: the processes of Millrace with their databases and broker.
type system struct {
	harness  *harness
	nats     *cluster.NATS // nil with the embedded server
	natsURL  string        // for this program
	replicas []*cluster.Replica
	prefix   string // of the database names on MariaDB; empty with SQLite
	dataDir  string // of the SQLite files
}

// startBroker starts a nats-server with an empty store.
func (h *harness) startBroker(ctx context.Context, dir string) (*cluster.NATS, error) {
	n, err := cluster.NewNATS(ctx, cluster.NATSConfig{Binary: h.natsServer, Conf: h.natsConf, Dir: dir, Observer: benchAccount})
	if err != nil {
		return nil, err
	}
	if err := n.Start(); err != nil {
		return nil, err
	}
	return n, n.AwaitReady(ctx, time.Minute)
}

// startSplit starts one process per service, with databases on MariaDB and a nats-server.
func (h *harness) startSplit(ctx context.Context, services ...string) (s *system, err error) {
	prefix := h.uniqueName("split")
	dir, err := h.makeDir(prefix)
	if err != nil {
		return nil, err
	}
	s = &system{harness: h, prefix: prefix}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if s.nats, err = h.startBroker(ctx, dir); err != nil {
		return s, err
	}
	s.natsURL = s.nats.ObserverURL()
	jwksURL := ""
	for _, service := range services {
		r, err := s.startReplica(ctx, dir, service,
			"MILLRACE_DATABASE_URL="+h.mariadb.URL(serviceAccount)+prefix,
			"MILLRACE_BROKER_URL="+s.nats.URL(service),
			"MILLRACE_DATA_DIR="+filepath.Join(dir, service),
			"MILLRACE_JWKS_URL="+jwksURL)
		if err != nil {
			return s, err
		}
		if service == "user" {
			jwksURL = r.URL + "/.well-known/jwks.json"
		}
	}
	return s, nil
}

// startSingleProcess starts one process that runs all services with SQLite and the embedded NATS server, as "go run ." does.
func (h *harness) startSingleProcess(ctx context.Context) (s *system, err error) {
	dir, err := h.makeDir(h.uniqueName("single"))
	if err != nil {
		return nil, err
	}
	address, err := cluster.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s = &system{harness: h, natsURL: "nats://millrace:" + natsPassword + "@" + address, dataDir: filepath.Join(dir, "data")}
	_, err = s.startReplica(ctx, dir, "all", "MILLRACE_EMBEDDED_NATS_ADDR="+address, "MILLRACE_EMBEDDED_NATS_PASSWORD="+natsPassword,
		"MILLRACE_DATA_DIR="+s.dataDir)
	if err != nil {
		err = errors.Join(err, s.stop())
	}
	return s, err
}

// startReplica starts one process of Millrace and waits until it is ready.
func (s *system) startReplica(ctx context.Context, dir, service string, env ...string) (*cluster.Replica, error) {
	r, err := cluster.NewReplica(ctx, cluster.ReplicaConfig{
		Binary: s.harness.binary, Name: service, Service: service, Dir: dir, Env: env,
	})
	if err != nil {
		return nil, err
	}
	if err := r.Start(); err != nil {
		return nil, err
	}
	s.replicas = append(s.replicas, r)
	return r, r.AwaitReady(ctx, time.Minute)
}

// stop stops the processes, the services first.
func (s *system) stop() error {
	var errs []error
	for _, r := range slices.Backward(s.replicas) {
		errs = append(errs, r.Stop(15*time.Second))
	}
	if s.nats != nil {
		_ = s.nats.Stop(15 * time.Second) // nats-server exits with 1 after SIGTERM
	}
	return errors.Join(errs...)
}

// replicaOf returns the process that runs a service, or nil.
func (s *system) replicaOf(service string) *cluster.Replica {
	for _, r := range s.replicas {
		if r.Runs(service) {
			return r
		}
	}
	return nil
}

// processes returns the processes whose CPU time is measured.
func (s *system) processes() []*cluster.Process {
	var all []*cluster.Process
	if s.nats != nil {
		all = append(all, s.harness.mariadb.Process, s.nats.Process)
	}
	for _, r := range s.replicas {
		all = append(all, r.Process)
	}
	return all
}

// openDatabase opens the database of a service, to observe it.
func (s *system) openDatabase(service string) (*sql.DB, error) {
	if s.prefix != "" {
		return s.harness.openMariaDB(s.prefix+"_"+service, 2)
	}
	return sql.Open("sqlite", "file:"+filepath.Join(s.dataDir, "millrace_"+service+".db")+"?mode=ro&_pragma=busy_timeout(10000)")
}

// awaitIdle waits until the outbox of the order service is empty and, if an event service runs, all events are in its history. It
// returns the number of unpublished outbox rows at the time of the call.
func (s *system) awaitIdle(ctx context.Context) (backlog int64, err error) {
	orders, err := s.openDatabase("order")
	if err != nil {
		return 0, err
	}
	defer orders.Close()
	const countUnpublished = "SELECT COUNT(*) FROM outbox WHERE stream_sequence IS NULL"
	if err := orders.QueryRowContext(ctx, countUnpublished).Scan(&backlog); err != nil {
		return 0, err
	}
	err = cluster.Eventually(ctx, 2*time.Minute, func(ctx context.Context) error {
		return requireZero(ctx, orders, countUnpublished)
	})
	if err != nil || s.replicaOf("event") == nil {
		return backlog, err
	}
	return backlog, s.awaitHistory(ctx)
}

// awaitHistory waits until all events of the stream are in the history and have a position.
func (s *system) awaitHistory(ctx context.Context) error {
	nc, err := nats.Connect(s.natsURL)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	history, err := s.openDatabase("event")
	if err != nil {
		return err
	}
	defer history.Close()
	return cluster.Eventually(ctx, 2*time.Minute, func(ctx context.Context) error {
		consumer, err := js.Consumer(ctx, "EVENTS", "event-history")
		if err != nil {
			return err
		}
		info := consumer.CachedInfo()
		if pending := info.NumPending + uint64(info.NumAckPending); pending > 0 { //nolint:gosec // a count
			return fmt.Errorf("%d events are not in the history yet", pending)
		}
		return requireZero(ctx, history, "SELECT COUNT(*) FROM history WHERE position IS NULL")
	})
}

// requireZero returns an error unless a query that counts rows returns 0.
func requireZero(ctx context.Context, db *sql.DB, query string) error {
	var n int64
	if err := db.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("%d rows are left of: %s", n, query)
	}
	return nil
}
