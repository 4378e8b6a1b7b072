package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"
)

// serviceNames are the three services, in the order in which they start.
var serviceNames = []string{"user", "order", "event"}

// Of this run's admin.
const (
	adminEmail    = "admin@localhost"
	adminPassword = "crash-admin-password"
)

// replica is one process of Millrace.
type replica struct {
	*process

	url     string
	answers []string     // the services that it runs
	silent  atomic.Int64 // when it last gave no answer, in nanoseconds
}

// cluster is everything that is killed: in the split run two replicas of each service, MariaDB and nats-server; on SQLite one
// process.
type cluster struct {
	replicas    []*replica
	mariadb     *process // nil on SQLite
	nats        *process // nil on SQLite
	natsURL     string   // for this program
	databaseDSN string   // for this program; empty on SQLite
	dataDir     string
}

// newCluster prepares the processes and starts none.
func newCluster(ctx context.Context, o options) (*cluster, error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, err
	}
	if o.sqlite {
		return newWhole(ctx, o)
	}
	return newSplit(ctx, o)
}

// newWhole is all three services in one process, with everything embedded.
func newWhole(ctx context.Context, o options) (*cluster, error) {
	nats, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	c := &cluster{natsURL: "nats://" + nats, dataDir: filepath.Join(o.dir, "data")}
	r, err := newReplica(ctx, o, "all", "all", "MILLRACE_EMBEDDED_NATS_ADDR="+nats, "MILLRACE_DATA_DIR="+c.dataDir)
	if err != nil {
		return nil, err
	}
	c.replicas = []*replica{r}
	return c, nil
}

// newSplit is two processes of each service.
func newSplit(ctx context.Context, o options) (*cluster, error) {
	c := &cluster{}
	database, address := "", ""
	var err error
	if c.mariadb, database, err = newMariaDB(ctx, o.dir); err != nil {
		return nil, err
	}
	if c.nats, address, err = newNATS(ctx, o); err != nil {
		return nil, err
	}
	c.natsURL = "nats://crash:crash@" + address
	c.databaseDSN = "crash:crash@tcp(" + database + ")/"
	keys := map[int]string{}
	for _, service := range serviceNames {
		for i := range 2 {
			name := fmt.Sprintf("%s-%d", service, i+1)
			r, err := newReplica(ctx, o, name, service,
				"MILLRACE_DATABASE_URL=mysql://millrace:millrace@"+database+"/",
				"MILLRACE_BROKER_URL=nats://"+service+":"+passwords[service]+"@"+address,
				"MILLRACE_DATA_DIR="+filepath.Join(o.dir, name))
			if err != nil {
				return nil, err
			}
			if service == "user" {
				keys[i] = r.url + "/.well-known/jwks.json"
			} else {
				r.env = append(r.env, "MILLRACE_JWKS_URL="+keys[i])
			}
			c.replicas = append(c.replicas, r)
		}
	}
	return c, nil
}

// newReplica prepares one process of Millrace.
func newReplica(ctx context.Context, o options, name, service string, env ...string) (*replica, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	r := &replica{url: "http://" + address, answers: []string{service}}
	if service == "all" {
		r.answers = serviceNames
	}
	r.process = &process{
		name: name, dir: o.dir, argv: []string{o.binary},
		env: append(env,
			"MILLRACE_SERVICE="+service,
			"MILLRACE_HTTP_ADDR="+address,
			"MILLRACE_SECRET_KEY=crash-secret-key-of-this-run-alone-0123456789",
			"MILLRACE_ADMIN_EMAIL="+adminEmail,
			"MILLRACE_ADMIN_PASSWORD="+adminPassword,
			"MILLRACE_RATE_LIMITS=off",
			"MILLRACE_LOG_FORMAT=json",
		),
		ready: func(ctx context.Context) error { return answers(ctx, "http://"+address+"/readyz") },
	}
	return r, nil
}

// answers succeeds when url says 200.
func answers(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s says %s", url, response.Status)
	}
	return nil
}

// processes gives all of them, in the order of their start.
func (c *cluster) processes() []*process {
	var all []*process
	if c.mariadb != nil {
		all = append(all, c.mariadb, c.nats)
	}
	for _, r := range c.replicas {
		all = append(all, r.process)
	}
	return all
}

// of gives the replicas that answer for a service.
func (c *cluster) of(service string) []*replica {
	var found []*replica
	for _, r := range c.replicas {
		if slices.Contains(r.answers, service) {
			found = append(found, r)
		}
	}
	return found
}

// start starts everything. The two replicas of a service start at once, on an empty database too.
func (c *cluster) start(ctx context.Context) error {
	for _, p := range c.processes() {
		if err := p.start(); err != nil {
			return err
		}
		if p == c.mariadb || p == c.nats {
			if err := p.awaitReady(ctx, time.Minute); err != nil {
				return err
			}
		}
	}
	return c.awaitReady(ctx)
}

// awaitReady waits until every process does its work.
func (c *cluster) awaitReady(ctx context.Context) error {
	for _, p := range c.processes() {
		if err := p.awaitReady(ctx, 90*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// stop ends everything, services first and each within its drain, and tells of those that did not end as they should.
func (c *cluster) stop() error {
	var failed []error
	for _, p := range slices.Backward(c.processes()) {
		limit := 10 * time.Second
		if p == c.mariadb {
			limit = time.Minute
		}
		err := p.stop(limit)
		if p != c.nats { // it exits with 1 after SIGTERM, as ever
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// ends gives the ends of processes that nobody asked for.
func (c *cluster) ends() []string {
	var strange []string
	for _, p := range c.processes() {
		strange = append(strange, p.ends()...)
	}
	return strange
}
