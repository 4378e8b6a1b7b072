package process

import (
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	mostConnections = 20_000           // however many files may be open
	opsConnections  = 32               // of the address for operators, out of what is kept free
	leastFree       = 192              // descriptors for databases, broker, store and log, at least
	retellFull      = 30 * time.Second // between two lines about the limit
)

// connectionLimit is how many HTTP connections may be open at once where the process may have limit files open; 0 is not known. A third is
// kept free: a store that cannot open its files fails.
func connectionLimit(limit uint64) int {
	if limit == 0 || limit > 2*mostConnections {
		return mostConnections
	}
	free := max(int(limit)/3, leastFree) //nolint:gosec // at most 40,000
	return max(int(limit)-free, 16)      //nolint:gosec // the same
}

// bounded is a listener with a limit on open connections. One more waits until another ends; the server's idle ones are closed for it.
type bounded struct {
	net.Listener

	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
	log    *slog.Logger

	mu   sync.Mutex
	idle map[net.Conn]struct{}
	told time.Time
}

func newBounded(inner net.Listener, limit int, log *slog.Logger) *bounded {
	return &bounded{
		Listener: inner, slots: make(chan struct{}, limit), closed: make(chan struct{}), log: log, idle: map[net.Conn]struct{}{},
	}
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	conn, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	for {
		select {
		case b.slots <- struct{}{}:
			return &boundedConn{Conn: conn, release: func() { <-b.slots }}, nil
		default:
		}
		b.full()
		if b.closeIdle() {
			continue
		}
		select {
		case b.slots <- struct{}{}:
			return &boundedConn{Conn: conn, release: func() { <-b.slots }}, nil
		case <-time.After(100 * time.Millisecond): // one may be idle by now
		case <-b.closed:
			_ = conn.Close()
			return nil, net.ErrClosed
		}
	}
}

// Close implements net.Listener.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

// watch hears of the states of the connections; it is the server's ConnState.
func (b *bounded) watch(conn net.Conn, state http.ConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if state == http.StateIdle {
		b.idle[conn] = struct{}{}
		return
	}
	delete(b.idle, conn)
}

// closeIdle closes one connection that has no request, if there is one.
func (b *bounded) closeIdle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for conn := range b.idle {
		delete(b.idle, conn)
		_ = conn.Close()
		return true
	}
	return false
}

// full tells of the limit, now and then.
func (b *bounded) full() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); now.Sub(b.told) > retellFull {
		b.told = now
		b.log.Warn("all HTTP connections are in use, others wait: raise the limit of open files (ulimit -n) or bound them at the proxy",
			slog.Int("connections", cap(b.slots)))
	}
}

// boundedConn gives its slot back when it is closed.
type boundedConn struct {
	net.Conn

	once    sync.Once
	release func()
}

// Close implements net.Conn.
func (c *boundedConn) Close() error {
	defer c.once.Do(c.release)
	return c.Conn.Close()
}
