package natsjs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
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
	maxClients     = 128      // connections, this process's too: each from outside takes a descriptor
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

// Embedded is a NATS server within this process. A server whose store failed does not come back by itself: it is stopped and started again
// on its files, and connections find the new one.
type Embedded struct {
	config   EmbeddedConfig
	options  *server.Options
	password string // of this process's own connections; empty where there is no other way in
	log      *serverLog

	mu     sync.RWMutex
	server *server.Server

	once    sync.Once
	closing chan struct{}
	closed  chan struct{} // the supervisor has ended
}

// ErrNoUsers refuses to listen without authentication.
var ErrNoUsers = errors.New("an embedded broker that listens needs a password or users")

// StartEmbedded starts a server on its files and waits until it is ready.
func StartEmbedded(config EmbeddedConfig) (*Embedded, error) {
	e := &Embedded{config: config, log: newServerLog(config.Logger), closing: make(chan struct{}), closed: make(chan struct{})}
	e.options = &server.Options{
		ServerName:         "millrace",
		DontListen:         config.Listen == "",
		NoSigs:             true, // signals are ours: the server would end the process in the middle of a drain
		JetStream:          true,
		StoreDir:           config.Dir,
		SyncInterval:       syncInterval,
		JetStreamMaxMemory: maxMemoryStore,
		MaxConn:            maxClients,
	}
	if config.Listen != "" {
		if config.Password == "" && config.Users.Empty() {
			return nil, ErrNoUsers
		}
		if err := listenOn(e.options, config.Listen); err != nil {
			return nil, err
		}
		e.options.Users, e.password = config.Users.withProcess(config.Password)
		e.options.Nkeys = config.Users.nkeys
	}
	if err := e.start(); err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	e.log.began() // what it could not read is told; others may be served without it
	go e.supervise()
	return e, nil
}

// start starts a server and waits until it is ready. One that is not is stopped again.
func (e *Embedded) start() error {
	s, err := server.NewServer(e.options.Clone())
	if err != nil {
		return err
	}
	e.log.begin()
	s.SetLoggerV2(e.log, false, false, false)
	s.Start()
	if err := awaitReady(s, e.log.fatal); err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return err
	}
	if at, ok := s.Addr().(*net.TCPAddr); ok {
		e.options.Port = at.Port // the next one listens on the same
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server = s
	return nil
}

// awaitReady waits until clients can connect, or the server has said what keeps it from that.
func awaitReady(s *server.Server, fatal <-chan string) error {
	for range startTimeout / readyPoll {
		select {
		case reason := <-fatal:
			return errors.New(reason)
		default:
		}
		if s.ReadyForConnections(readyPoll) {
			if !s.JetStreamEnabled() {
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
	options := []nats.Option{nats.InProcessServer(e)}
	if e.password != "" {
		options = append(options, nats.UserInfo(processUser, e.password))
	}
	return connect(ctx, "", config, options...)
}

// InProcessConn returns a connection to the server that runs now. It implements nats.InProcessConnProvider.
func (e *Embedded) InProcessConn() (net.Conn, error) { return e.running().InProcessConn() }

func (e *Embedded) running() *server.Server {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.server
}

// Addr is where outside clients connect, nil where none can.
func (e *Embedded) Addr() net.Addr { return e.running().Addr() }

// Shutdown stops the server and waits until its files are closed. Connections are closed before.
func (e *Embedded) Shutdown() {
	e.once.Do(func() { close(e.closing) })
	<-e.closed
	e.stop()
}

func (e *Embedded) stop() {
	s := e.running()
	s.Shutdown()
	s.WaitForShutdown()
}
