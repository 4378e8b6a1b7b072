package natsjs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	// syncInterval is how long an acknowledged message may be in the page cache alone; the server's default is two minutes. The
	// relay keeps its rows for longer and publishes a lost tail again.
	syncInterval   = time.Second
	startTimeout   = 30 * time.Second // a large store is read before the server is ready
	readyPoll      = 100 * time.Millisecond
	maxMemoryStore = 64 << 20 // our streams are files; nobody needs more in memory
)

// EmbeddedConfig says how the server of this process is run.
type EmbeddedConfig struct {
	Dir    string // where its files are; the caller has locked it: two servers on one folder would both acknowledge
	Listen string // host:port for outside clients; empty: none can connect
	// Password is that of EmbeddedUser, and Users are others. A server that listens needs one of them: without, everybody who reaches it
	// could publish what they like.
	Password string
	Users    Users
	Logger   *slog.Logger
}

// ErrNoUsers refuses to listen without authentication.
var ErrNoUsers = errors.New("an embedded broker that listens needs a password or users")

// Embedded is a NATS server within this process.
type Embedded struct {
	server   *server.Server
	password string // of this process's own connections; empty where there is no other way in
}

// StartEmbedded starts a server on its files and waits until it is ready.
func StartEmbedded(config EmbeddedConfig) (*Embedded, error) {
	options := &server.Options{
		ServerName:         "millrace",
		DontListen:         config.Listen == "",
		NoSigs:             true, // signals are ours: the server would end the process in the middle of a drain
		JetStream:          true,
		StoreDir:           config.Dir,
		SyncInterval:       syncInterval,
		JetStreamMaxMemory: maxMemoryStore,
	}
	e := &Embedded{}
	if config.Listen != "" {
		if config.Password == "" && config.Users.Empty() {
			return nil, ErrNoUsers
		}
		if err := listenOn(options, config.Listen); err != nil {
			return nil, err
		}
		options.Users, e.password = config.Users.withProcess(config.Password)
		options.Nkeys = config.Users.nkeys
	}
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	log := &serverLog{logger: config.Logger, fatal: make(chan string, 1)}
	s.SetLoggerV2(log, false, false, false)
	e.server = s
	s.Start()
	if err := e.awaitReady(log.fatal); err != nil {
		e.Shutdown()
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	return e, nil
}

// awaitReady waits until clients can connect, or the server has said what keeps it from that.
func (e *Embedded) awaitReady(fatal <-chan string) error {
	for range startTimeout / readyPoll {
		select {
		case reason := <-fatal:
			return errors.New(reason)
		default:
		}
		if e.server.ReadyForConnections(readyPoll) {
			if !e.server.JetStreamEnabled() {
				return errors.New("streams are not available")
			}
			return nil
		}
	}
	return errors.New("not ready in time")
}

// listenOn makes the server listen on host:port; port 0 is any free one.
func listenOn(options *server.Options, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address of the embedded broker: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil || number < 0 || number > 65535 {
		return fmt.Errorf("address of the embedded broker: port %q is no number up to 65535", port)
	}
	if number == 0 {
		number = server.RANDOM_PORT
	}
	options.Host, options.Port = host, number
	return nil
}

// Connect connects to the server without a socket.
func (e *Embedded) Connect(ctx context.Context, config Config) (*Conn, error) {
	options := []nats.Option{nats.InProcessServer(e.server)}
	if e.password != "" {
		options = append(options, nats.UserInfo(processUser, e.password))
	}
	return connect(ctx, "", config, options...)
}

// Addr is where outside clients connect, nil where none can.
func (e *Embedded) Addr() net.Addr { return e.server.Addr() }

// Shutdown stops the server and waits until its files are closed. Connections are closed before.
func (e *Embedded) Shutdown() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
}
