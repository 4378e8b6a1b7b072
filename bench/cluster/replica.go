package cluster

import (
	"context"
	"fmt"
	"net/http"
	"slices"
)

// Services are the three of them, in the order in which they start.
var Services = []string{"user", "order", "event"}

// Of the admin whom every cluster has.
const (
	AdminEmail    = "admin@localhost"
	AdminPassword = "admin-password-of-a-cluster"
)

// secretKey keeps nothing secret: a cluster is made anew for each run, on loopback.
const secretKey = "3e7a2e7e202b234151fa80b10db2fce1063959119813b3e1f5d4c26c76f18161"

// Replica is one process of Millrace.
type Replica struct {
	*Process

	URL     string
	Address string
	Answers []string // the services that it runs
}

// ReplicaConfig says what the process runs and where.
type ReplicaConfig struct {
	Binary  string
	Name    string
	Service string // or "all"
	Dir     string // for its log
	Env     []string
}

// NewReplica prepares a process.
func NewReplica(ctx context.Context, c ReplicaConfig) (*Replica, error) {
	address, err := FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	r := &Replica{URL: "http://" + address, Address: address, Answers: []string{c.Service}}
	if c.Service == "all" {
		r.Answers = Services
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
		Ready: func(ctx context.Context) error { return Answers(ctx, r.URL+"/readyz") },
	}
	return r, nil
}

// Runs reports whether the process answers for a service.
func (r *Replica) Runs(service string) bool { return slices.Contains(r.Answers, service) }

// Answers succeeds when url says 200.
func Answers(ctx context.Context, url string) error {
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
