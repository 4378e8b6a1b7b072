package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// passwords are those of this run's nats-server on loopback.
var passwords = map[string]string{"user": "crash-user", "order": "crash-order", "event": "crash-event"}

// newNATS prepares a nats-server with the repository's own configuration, so that its permissions are tried too, and one more
// user: this program, which looks on.
func newNATS(ctx context.Context, o options) (*process, string, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	text, err := os.ReadFile(o.natsConf)
	if err != nil {
		return nil, "", err
	}
	const users = "users = ["
	if !strings.Contains(string(text), users) {
		return nil, "", fmt.Errorf("%s has no %q", o.natsConf, users)
	}
	conf := strings.Replace(string(text), users, users+"\n    { user: crash, password: crash }", 1)
	path := filepath.Join(o.dir, "nats.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		return nil, "", err
	}
	host, port, err := cut(address)
	return &process{
		name: "nats", dir: o.dir,
		argv: []string{o.natsServer, "-c", path, "-a", host, "-p", port},
		env: []string{
			"NATS_STORE_DIR=" + filepath.Join(o.dir, "nats"),
			"NATS_USER_PASSWORD=" + passwords["user"],
			"NATS_ORDER_PASSWORD=" + passwords["order"],
			"NATS_EVENT_PASSWORD=" + passwords["event"],
		},
		ready: func(ctx context.Context) error { return listening(ctx, address) },
	}, address, err
}

// cut gives the two halves of host:port.
func cut(address string) (host, port string, err error) { return net.SplitHostPort(address) }
