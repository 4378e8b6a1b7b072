package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/bench/cluster"
)

// Accounts on MariaDB. The services and this program use different ones, so that the services' connections can be killed without
// killing those of this program.
const (
	serviceAccount = "millrace"
	testAccount    = "crash"
)

// replica is one process of Millrace.
type replica struct {
	*cluster.Replica

	lastFailure atomic.Int64 // when it last failed to respond, in nanoseconds since 1970
}

// system is the system under test: with MariaDB two replicas of each service and a nats-server, with SQLite a single process.
type system struct {
	replicas []*replica
	mariadb  *cluster.MariaDB // nil with SQLite
	nats     *cluster.NATS    // nil with SQLite
	natsURL  string           // for this program
	dataDir  string           // of the SQLite files
}

// newSystem returns a system that is not started.
func newSystem(ctx context.Context, o options) (*system, error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, err
	}
	if o.sqlite {
		return newSingleProcess(ctx, o)
	}
	return newReplicated(ctx, o)
}

// natsPassword is the password of the embedded NATS server. It is not secret: the server listens on loopback for the duration of a run.
const natsPassword = "password-of-the-crash-test" //nolint:gosec // not secret

// newSingleProcess returns a system of one process that runs all services with SQLite and the embedded NATS server.
func newSingleProcess(ctx context.Context, o options) (*system, error) {
	nats, err := cluster.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s := &system{natsURL: "nats://millrace:" + natsPassword + "@" + nats, dataDir: filepath.Join(o.dir, "data")}
	err = s.addReplica(ctx, o, "all", "all", "MILLRACE_EMBEDDED_NATS_ADDR="+nats, "MILLRACE_EMBEDDED_NATS_PASSWORD="+natsPassword,
		"MILLRACE_DATA_DIR="+s.dataDir)
	return s, err
}

// newReplicated returns a system of two processes per service with MariaDB and a nats-server.
func newReplicated(ctx context.Context, o options) (*system, error) {
	s := &system{}
	var err error
	if s.mariadb, err = cluster.NewMariaDB(ctx, o.dir, testAccount, serviceAccount); err != nil {
		return nil, err
	}
	s.nats, err = cluster.NewNATS(ctx, cluster.NATSConfig{Binary: o.natsServer, Conf: o.natsConf, Dir: o.dir, Observer: testAccount})
	if err != nil {
		return nil, err
	}
	s.natsURL = s.nats.ObserverURL()
	for _, service := range cluster.Services {
		for i := range 2 {
			name := fmt.Sprintf("%s-%d", service, i+1)
			env := []string{
				"MILLRACE_DATABASE_URL=" + s.mariadb.URL(serviceAccount),
				"MILLRACE_BROKER_URL=" + s.nats.URL(service),
				"MILLRACE_DATA_DIR=" + filepath.Join(o.dir, name),
			}
			if service != "user" {
				env = append(env, "MILLRACE_JWKS_URL="+s.replicasOf("user")[i].URL+"/.well-known/jwks.json")
			}
			if err := s.addReplica(ctx, o, name, service, env...); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// addReplica adds a process of Millrace that is not started.
func (s *system) addReplica(ctx context.Context, o options, name, service string, env ...string) error {
	r, err := cluster.NewReplica(ctx, cluster.ReplicaConfig{Binary: o.binary, Name: name, Service: service, Dir: o.dir, Env: env})
	if err == nil {
		s.replicas = append(s.replicas, &replica{Replica: r})
	}
	return err
}

// processes returns all processes in the order in which they are started.
func (s *system) processes() []*cluster.Process {
	var all []*cluster.Process
	if s.mariadb != nil {
		all = append(all, s.mariadb.Process, s.nats.Process)
	}
	for _, r := range s.replicas {
		all = append(all, r.Process)
	}
	return all
}

// replicasOf returns the replicas that run a service.
func (s *system) replicasOf(service string) []*replica {
	var found []*replica
	for _, r := range s.replicas {
		if r.Runs(service) {
			found = append(found, r)
		}
	}
	return found
}

// start starts all processes and waits until they are ready. The replicas start at the same time, so that they also compete to migrate
// an empty database.
func (s *system) start(ctx context.Context) error {
	if s.mariadb != nil {
		for _, p := range []*cluster.Process{s.mariadb.Process, s.nats.Process} {
			if err := errors.Join(p.Start(), p.AwaitReady(ctx, time.Minute)); err != nil {
				return err
			}
		}
	}
	for _, r := range s.replicas {
		if err := r.Start(); err != nil {
			return err
		}
	}
	return s.awaitReady(ctx)
}

// awaitReady waits until every process is ready.
func (s *system) awaitReady(ctx context.Context) error {
	for _, p := range s.processes() {
		if err := p.AwaitReady(ctx, 90*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// stop stops all processes, the services first. It returns an error for each service that does not drain in time or does not exit
// with 0.
func (s *system) stop() error {
	var errs []error
	for _, r := range slices.Backward(s.replicas) {
		errs = append(errs, r.Stop(10*time.Second))
	}
	if s.mariadb != nil {
		_ = s.nats.Stop(10 * time.Second) // nats-server exits with 1 after SIGTERM
		errs = append(errs, s.mariadb.Stop(time.Minute))
	}
	return errors.Join(errs...)
}

// unexpectedExits describes the exits of processes that this program did not ask for.
func (s *system) unexpectedExits() []string {
	var exits []string
	for _, p := range s.processes() {
		exits = append(exits, p.UnexpectedExits()...)
	}
	return exits
}
