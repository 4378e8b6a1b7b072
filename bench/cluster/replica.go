package cluster

import (
	"context"
	"fmt"
	"net/http"
	"slices"
)

// Services are the names of the services, in the order in which they are started.
var Services = []string{"user", "order", "event"}

// Credentials of the admin that every cluster has.
const (
	AdminEmail    = "admin@localhost"
	AdminPassword = "admin-password-of-a-cluster"
)

// secretKey is the secret key of every replica. It is not secret: a cluster runs on loopback, with new data for each run.
const secretKey = "3e7a2e7e202b234151fa80b10db2fce1063959119813b3e1f5d4c26c76f18161"

// Replica is one process of Millrace.
type Replica struct {
	*Process

	URL      string
	Address  string
	Services []string // the services that the process runs
}

// ReplicaConfig configures a Replica.
type ReplicaConfig struct {
	Binary  string
	Name    string
	Service string // name of a service, or "all"
	Dir     string // for the log
	Env     []string
}

// NewReplica returns a replica that is not started.
func NewReplica(ctx context.Context, c ReplicaConfig) (*Replica, error) {
	address, err := FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	r := &Replica{URL: "http://" + address, Address: address, Services: []string{c.Service}}
	if c.Service == "all" {
		r.Services = Services
	}
	r.Process = &Process{
		Name: c.Name, Dir: c.Dir, Argv: []string{c.Binary},
		Env: append(slices.Clone(c.Env),
			"MILLRACE_SERVICE="+c.Service,
			"MILLRACE_HTTP_ADDR="+address,
			"MILLRACE_SECRET_KEY="+secretKey,
			"MILLRACE_ADMIN_EMAIL="+AdminEmail,
			"MILLRACE_ADMIN_PASSWORD="+AdminPassword,
			"MILLRACE_RATE_LIMITS=off",
			"MILLRACE_LOG_FORMAT=json",
		),
		Ready: func(ctx context.Context) error { return CheckOK(ctx, r.URL+"/readyz") },
	}
	return r, nil
}

// Runs reports whether the process runs a service.
func (r *Replica) Runs(service string) bool { return slices.Contains(r.Services, service) }

// CheckOK returns an error unless a GET of url returns status 200.
func CheckOK(ctx context.Context, url string) error {
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
		return fmt.Errorf("%s returned %s", url, response.Status)
	}
	return nil
}
