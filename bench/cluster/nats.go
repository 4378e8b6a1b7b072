package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// NATS is a nats-server on the repository's own configuration, so that its permissions are tried too, and with one more user: the
// program that looks on.
type NATS struct {
	*Process

	Address string
	onlook  string
}

// NATSConfig says which server to run, and where.
type NATSConfig struct {
	Binary   string
	Conf     string // deploy/nats.conf
	Dir      string // for the store and the log
	Onlooker string // the further user, with its name for a password, who may do everything
}

// NewNATS prepares the server.
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
		return nil, fmt.Errorf("%s has no %q", c.Conf, users)
	}
	more := fmt.Sprintf("%s\n    { user: %[2]s, password: %[2]s }", users, c.Onlooker)
	path := filepath.Join(c.Dir, "nats.conf")
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), users, more, 1)), 0o600); err != nil {
		return nil, err
	}
	host, port, err := cut(address)
	p := &Process{
		Name: "nats", Dir: c.Dir,
		Argv: []string{c.Binary, "-c", path, "-a", host, "-p", port},
		Env: []string{
			"NATS_STORE_DIR=" + filepath.Join(c.Dir, "nats"),
			"NATS_USER_PASSWORD=" + password("user"),
			"NATS_ORDER_PASSWORD=" + password("order"),
			"NATS_EVENT_PASSWORD=" + password("event"),
		},
		Ready: func(ctx context.Context) error { return Listening(ctx, address) },
	}
	return &NATS{Process: p, Address: address, onlook: c.Onlooker}, err
}

// URL is how a service reaches the server.
func (n *NATS) URL(service string) string {
	return "nats://" + service + ":" + password(service) + "@" + n.Address
}

// OnlookerURL is how the program that looks on reaches it.
func (n *NATS) OnlookerURL() string { return "nats://" + n.onlook + ":" + n.onlook + "@" + n.Address }

// password is a service's, of a server that lives on loopback for one run.
func password(service string) string { return "of-" + service }

// cut gives the two halves of host:port.
func cut(address string) (host, port string, err error) { return net.SplitHostPort(address) }
