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

// The services and this program sign in to MariaDB as different users, so that connections can be killed without killing our own.
const (
	theirs = "millrace"
	ours   = "crash"
)

// replica is one process of Millrace.
type replica struct {
	*cluster.Replica

	silent atomic.Int64 // when it last gave no answer, in nanoseconds
}

// system is everything that is killed: in the split run two replicas of each service, MariaDB and nats-server; on SQLite one
// process.
type system struct {
	replicas []*replica
	mariadb  *cluster.MariaDB // nil on SQLite
	nats     *cluster.NATS    // nil on SQLite
	natsURL  string           // for this program
	dataDir  string           // of SQLite
}

// newSystem prepares the processes and starts none.
func newSystem(ctx context.Context, o options) (*system, error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, err
	}
	if o.sqlite {
		return newWhole(ctx, o)
	}
	return newSplit(ctx, o)
}

// natsPassword is that of the embedded server, which listens on loopback and lives as long as the run.
const natsPassword = "bench-of-the-miller" //nolint:gosec // no secret

// newWhole is all three services in one process, with everything embedded.
func newWhole(ctx context.Context, o options) (*system, error) {
	nats, err := cluster.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s := &system{natsURL: "nats://millrace:" + natsPassword + "@" + nats, dataDir: filepath.Join(o.dir, "data")}
	err = s.add(ctx, o, "all", "all", "MILLRACE_EMBEDDED_NATS_ADDR="+nats, "MILLRACE_EMBEDDED_NATS_PASSWORD="+natsPassword,
		"MILLRACE_DATA_DIR="+s.dataDir)
	return s, err
}

// newSplit is two processes of each service.
func newSplit(ctx context.Context, o options) (*system, error) {
	s := &system{}
	var err error
	if s.mariadb, err = cluster.NewMariaDB(ctx, o.dir, ours, theirs); err != nil {
		return nil, err
	}
	s.nats, err = cluster.NewNATS(ctx, cluster.NATSConfig{Binary: o.natsServer, Conf: o.natsConf, Dir: o.dir, Observer: ours})
	if err != nil {
		return nil, err
	}
	s.natsURL = s.nats.ObserverURL()
	for _, service := range cluster.Services {
		for i := range 2 {
			name := fmt.Sprintf("%s-%d", service, i+1)
			env := []string{
				"MILLRACE_DATABASE_URL=" + s.mariadb.URL(theirs),
				"MILLRACE_BROKER_URL=" + s.nats.URL(service),
				"MILLRACE_DATA_DIR=" + filepath.Join(o.dir, name),
			}
			if service != "user" {
				env = append(env, "MILLRACE_JWKS_URL="+s.of("user")[i].URL+"/.well-known/jwks.json")
			}
			if err := s.add(ctx, o, name, service, env...); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// add prepares one process of Millrace.
func (s *system) add(ctx context.Context, o options, name, service string, env ...string) error {
	r, err := cluster.NewReplica(ctx, cluster.ReplicaConfig{Binary: o.binary, Name: name, Service: service, Dir: o.dir, Env: env})
	if err == nil {
		s.replicas = append(s.replicas, &replica{Replica: r})
	}
	return err
}

// processes gives all of them, in the order of their start.
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

// of gives the replicas that answer for a service.
func (s *system) of(service string) []*replica {
	var found []*replica
	for _, r := range s.replicas {
		if r.Runs(service) {
			found = append(found, r)
		}
	}
	return found
}

// start starts everything. The two replicas of a service start at once, on an empty database too.
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

// awaitReady waits until every process does its work.
func (s *system) awaitReady(ctx context.Context) error {
	for _, p := range s.processes() {
		if err := p.AwaitReady(ctx, 90*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// stop ends everything, services first and each within its drain, and tells of those that did not end as they should.
func (s *system) stop() error {
	var failed []error
	for _, r := range slices.Backward(s.replicas) {
		failed = append(failed, r.Stop(10*time.Second))
	}
	if s.mariadb != nil {
		_ = s.nats.Stop(10 * time.Second) // it exits with 1 after SIGTERM, as ever
		failed = append(failed, s.mariadb.Stop(time.Minute))
	}
	return errors.Join(failed...)
}

// ends gives the ends of processes that nobody asked for.
func (s *system) ends() []string {
	var strange []string
	for _, p := range s.processes() {
		strange = append(strange, p.UnexpectedExits()...)
	}
	return strange
}
