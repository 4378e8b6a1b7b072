// Package natsjs carries messages over NATS JetStream: a connection that never gives up, streams and durable consumers,
// Watermill's publisher and subscriber, and an embedded server.
package natsjs

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	dialTimeout  = 2 * time.Second
	writeTimeout = 3 * time.Second // longer, and a server that stands still would hold everything that sends, even closing
	pingInterval = 2 * time.Second // three unanswered pings are a lost connection
	longestDelay = 2 * time.Second // between two rounds over the servers
	apiTimeout   = 5 * time.Second // of one request to JetStream, where the caller set no deadline

	// shortestLoss is the least time for which Connected is false between two connections: a broker that comes back may have lost what it
	// acknowledged last, so the relay must notice that it was away.
	shortestLoss = 60 * time.Millisecond
)

// Config says which broker to connect to.
type Config struct {
	URL    string // nats://[user:pass@]host:4222[,host2:4222][?creds=FILE], tls://…
	Name   string // shown by the server's monitoring; the service's name
	Logger *slog.Logger
}

// Conn is a connection to a broker. It reconnects for as long as it lives.
type Conn struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	logger *slog.Logger

	connected atomic.Bool
	first     chan struct{} // closed when the broker was reached for the first time
	closed    chan struct{}

	mu       sync.Mutex
	watchers map[chan bool]struct{}
	lost     time.Time // when the connection was lost last

	differing map[string]comparison // by stream or durable
	unfit     sync.Map              // durables that must not be read, by stream and name
	// passedOver are the differences of durables that read less than they must for a while, by stream and name.
	passedOver sync.Map
}

// Connect makes a connection. It fails only for a configuration that can never work: while no server answers, it keeps trying in
// the background and says so in the log. Close ends it.
func Connect(ctx context.Context, config Config) (*Conn, error) {
	a, err := parseAddress(config.URL)
	if err != nil {
		return nil, err
	}
	var options []nats.Option
	if a.credentials != "" {
		options = append(options, nats.UserCredentials(a.credentials))
	}
	return connect(ctx, a.servers, config, options...)
}

func connect(ctx context.Context, servers string, config Config, options ...nats.Option) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &Conn{
		logger:   config.Logger,
		first:    make(chan struct{}),
		closed:   make(chan struct{}),
		watchers: map[chan bool]struct{}{}, differing: map[string]comparison{},
	}
	nc, err := nats.Connect(servers, append(options, c.options(config.Name)...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to the broker: %w", err)
	}
	c.nc = nc
	if c.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(apiTimeout)); err != nil {
		nc.Close()
		return nil, fmt.Errorf("use the broker's streams: %w", err)
	}
	if nc.IsConnected() {
		select {
		case <-c.first: // the handler's turn was still on its way
		case <-ctx.Done():
		}
	}
	return c, nil
}

// options make the client try for ever, and tell c of each turn.
func (c *Conn) options(name string) []nats.Option {
	return []nats.Option{
		nats.Name(name),
		nats.Timeout(dialTimeout),
		nats.FlusherTimeout(writeTimeout),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(2),
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(), // the password may be put right without a restart
		nats.CustomReconnectDelay(reconnectDelay),
		nats.ConnectHandler(func(*nats.Conn) {
			c.turned(true, nil)
			close(c.first)
		}),
		nats.ReconnectHandler(func(*nats.Conn) { c.returned() }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { c.turned(false, err) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			c.logger.Warn("broker cannot be reached, trying again", slog.Any("error", err))
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			c.logger.Warn("broker refused something", slog.Any("error", err))
		}),
		nats.ClosedHandler(func(*nats.Conn) { close(c.closed) }),
	}
}

// reconnectDelay grows with the rounds that failed; jitter keeps replicas from coming back all at once.
func reconnectDelay(rounds int) time.Duration {
	delay := min(longestDelay, 100*time.Millisecond<<min(rounds, 10))
	return delay/2 + rand.N(delay/2)
}

// Connected reports whether the broker can be spoken to now. It never blocks.
func (c *Conn) Connected() bool { return c.connected.Load() }

// Close ends the connection and waits for it. What publishers and subscribers still have to say must be said before.
func (c *Conn) Close() {
	c.connected.Store(false) // before, so that its end is not logged as a loss
	c.nc.Close()
	<-c.closed
}

// returned hears that the connection stands again. The client calls one handler after the other, so that a loss that follows is
// heard after this one has returned.
func (c *Conn) returned() {
	c.mu.Lock()
	early := shortestLoss - time.Since(c.lost)
	c.mu.Unlock()
	if early > 0 {
		timer := time.NewTimer(early)
		defer timer.Stop()
		<-timer.C
	}
	c.turned(true, nil)
}

// turned hears that the connection came or went.
func (c *Conn) turned(connected bool, cause error) {
	if c.connected.Swap(connected) != connected {
		if connected {
			c.logger.Info("broker connected")
		} else {
			c.logger.Warn("broker connection lost", slog.Any("error", cause))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !connected {
		c.lost = time.Now()
	}
	for w := range c.watchers {
		select {
		case w <- connected:
		default: // the watcher has an unread turn and will look at Connected
		}
	}
}

// watch gives a channel that receives when the connection came or went, until stop is called.
func (c *Conn) watch() (turns <-chan bool, stop func()) {
	w := make(chan bool, 8)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers[w] = struct{}{}
	return w, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, w)
	}
}
