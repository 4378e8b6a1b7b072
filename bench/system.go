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

// system is Millrace as it is measured: its processes, its databases, its broker.
type system struct {
	lab      *lab
	nats     *cluster.NATS // nil where it is embedded
	natsURL  string        // for this program
	replicas []*cluster.Replica
	prefix   string // of its databases on MariaDB; empty on SQLite
	data     string // folder of SQLite's files
}

// startBroker starts a nats-server with an empty store.
func (l *lab) startBroker(ctx context.Context, dir string) (*cluster.NATS, error) {
	n, err := cluster.NewNATS(ctx, cluster.NATSConfig{Binary: l.natsServer, Conf: l.natsConf, Dir: dir, Observer: benchAccount})
	if err != nil {
		return nil, err
	}
	if err := n.Start(); err != nil {
		return nil, err
	}
	return n, n.AwaitReady(ctx, time.Minute)
}

// startSplit starts services in a process each, on MariaDB and a nats-server of their own.
func (l *lab) startSplit(ctx context.Context, services ...string) (s *system, err error) {
	prefix := l.name("split")
	dir, err := l.folder(prefix)
	if err != nil {
		return nil, err
	}
	s = &system{lab: l, prefix: prefix}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if s.nats, err = l.startBroker(ctx, dir); err != nil {
		return s, err
	}
	s.natsURL = s.nats.ObserverURL()
	keys := ""
	for _, service := range services {
		r, err := s.run(ctx, dir, service,
			"MILLRACE_DATABASE_URL="+l.mariadb.URL(serviceAccount)+prefix,
			"MILLRACE_BROKER_URL="+s.nats.URL(service),
			"MILLRACE_DATA_DIR="+filepath.Join(dir, service),
			"MILLRACE_JWKS_URL="+keys)
		if err != nil {
			return s, err
		}
		if service == "user" {
			keys = r.URL + "/.well-known/jwks.json"
		}
	}
	return s, nil
}

// startWhole starts all services in one process, with everything embedded, as `go run .` does.
func (l *lab) startWhole(ctx context.Context) (s *system, err error) {
	dir, err := l.folder(l.name("whole"))
	if err != nil {
		return nil, err
	}
	address, err := cluster.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s = &system{lab: l, natsURL: "nats://millrace:" + natsPassword + "@" + address, data: filepath.Join(dir, "data")}
	_, err = s.run(ctx, dir, "all", "MILLRACE_EMBEDDED_NATS_ADDR="+address, "MILLRACE_EMBEDDED_NATS_PASSWORD="+natsPassword,
		"MILLRACE_DATA_DIR="+s.data)
	if err != nil {
		err = errors.Join(err, s.stop())
	}
	return s, err
}

// run starts one process of Millrace and waits until it is ready.
func (s *system) run(ctx context.Context, dir, service string, env ...string) (*cluster.Replica, error) {
	r, err := cluster.NewReplica(ctx, cluster.ReplicaConfig{Binary: s.lab.binary, Name: service, Service: service, Dir: dir, Env: env})
	if err != nil {
		return nil, err
	}
	if err := r.Start(); err != nil {
		return nil, err
	}
	s.replicas = append(s.replicas, r)
	return r, r.AwaitReady(ctx, time.Minute)
}

// stop ends the processes, services first.
func (s *system) stop() error {
	var failed []error
	for _, r := range slices.Backward(s.replicas) {
		failed = append(failed, r.Stop(15*time.Second))
	}
	if s.nats != nil {
		_ = s.nats.Stop(15 * time.Second) // it exits with 1 after SIGTERM, as ever
	}
	return errors.Join(failed...)
}

// of gives the process that answers for a service, nil where there is none.
func (s *system) of(service string) *cluster.Replica {
	for _, r := range s.replicas {
		if r.Runs(service) {
			return r
		}
	}
	return nil
}

// processes are all whose processor time counts.
func (s *system) processes() []*cluster.Process {
	var all []*cluster.Process
	if s.nats != nil {
		all = append(all, s.lab.mariadb.Process, s.nats.Process)
	}
	for _, r := range s.replicas {
		all = append(all, r.Process)
	}
	return all
}

// database opens a service's database for a look.
func (s *system) database(service string) (*sql.DB, error) {
	if s.prefix != "" {
		return s.lab.open(s.prefix+"_"+service, 2)
	}
	return sql.Open("sqlite", "file:"+filepath.Join(s.data, "millrace_"+service+".db")+"?mode=ro&_pragma=busy_timeout(10000)")
}

// settle waits until nothing is on its way any more: the outbox is empty and, where an event service runs, everything is in the
// history. It gives how many rows of the outbox waited at first.
func (s *system) settle(ctx context.Context) (waited int64, err error) {
	orders, err := s.database("order")
	if err != nil {
		return 0, err
	}
	defer orders.Close()
	const pending = "SELECT COUNT(*) FROM outbox WHERE stream_sequence IS NULL"
	if err := orders.QueryRowContext(ctx, pending).Scan(&waited); err != nil {
		return 0, err
	}
	err = cluster.Eventually(ctx, 2*time.Minute, func(ctx context.Context) error {
		return none(ctx, orders, pending)
	})
	if err != nil || s.of("event") == nil {
		return waited, err
	}
	return waited, s.awaitHistory(ctx)
}

// awaitHistory waits until the event service took and numbered all that is in the stream.
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
	history, err := s.database("event")
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
		if left := info.NumPending + uint64(info.NumAckPending); left > 0 { //nolint:gosec // a count
			return fmt.Errorf("%d events are not in the history yet", left)
		}
		return none(ctx, history, "SELECT COUNT(*) FROM history WHERE position IS NULL")
	})
}

// none succeeds when a count is 0.
func none(ctx context.Context, db *sql.DB, count string) error {
	var n int64
	if err := db.QueryRowContext(ctx, count).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("%d wait", n)
	}
	return nil
}
