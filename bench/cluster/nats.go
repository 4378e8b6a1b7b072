package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// NATS is a nats-server that runs with the repository's configuration, so that its permissions are tested too. It has one more user,
// the observer.
type NATS struct {
	*Process

	Address  string
	observer string
}

// NATSConfig configures a NATS.
type NATSConfig struct {
	Binary   string
	Conf     string // path of deploy/nats.conf
	Dir      string // for the store and the log
	Observer string // name and password of the additional user, who has all permissions
}

// NewNATS writes the configuration and returns a server that is not started.
func NewNATS(ctx context.Context, c NATSConfig) (*NATS, error) {
	address, err := FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(c.Conf)
	if err != nil {
		return nil, err
	}
	const users = "users = ["
	if !strings.Contains(string(text), users) {
		return nil, fmt.Errorf("%s does not contain %q", c.Conf, users)
	}
	withObserver := fmt.Sprintf("%s\n    { user: %[2]s, password: %[2]s }", users, c.Observer)
	path := filepath.Join(c.Dir, "nats.conf")
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), users, withObserver, 1)), 0o600); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	p := &Process{
		Name: "nats", Dir: c.Dir,
		Argv: []string{c.Binary, "-c", path, "-a", host, "-p", port},
		Env: []string{
			"NATS_STORE_DIR=" + filepath.Join(c.Dir, "nats"),
			"NATS_USER_PASSWORD=" + password("user"),
			"NATS_ORDER_PASSWORD=" + password("order"),
			"NATS_EVENT_PASSWORD=" + password("event"),
		},
		Ready: func(ctx context.Context) error { return CheckListening(ctx, address) },
	}
	return &NATS{Process: p, Address: address, observer: c.Observer}, err
}

// URL returns the value of MILLRACE_BROKER_URL for a service.
func (n *NATS) URL(service string) string {
	return "nats://" + service + ":" + password(service) + "@" + n.Address
}

// ObserverURL returns the server's URL for the observer.
func (n *NATS) ObserverURL() string {
	return "nats://" + n.observer + ":" + n.observer + "@" + n.Address
}

// password returns a service's password. It need not be secret: the server listens on loopback for the duration of one run.
func password(service string) string { return "password-of-" + service }
