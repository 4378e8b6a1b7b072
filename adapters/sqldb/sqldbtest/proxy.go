package sqldbtest

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// Proxy stands between a program and a MySQL server, and understands enough of the protocol to act as a server in trouble.
type Proxy struct {
	// URL leads through the proxy to the server.
	URL string

	network, address string
	listener         net.Listener
	rules            atomic.Pointer[Rules]
	accepted         atomic.Int64
	refused          atomic.Int64

	mu      sync.Mutex
	resumed *sync.Cond
	stopped bool
	open    map[net.Conn]struct{}
	passing sync.WaitGroup
}

// Refusal is an error of the server.
type Refusal struct {
	Number  uint16
	State   string // five characters; empty: HY000
	Message string
}

// Rules say what the proxy does. Each of them concerns connections that were accepted while they are in force: an old primary stays what it
// is for those who are connected to it.
type Rules struct {
	Greeting  *Refusal                    // instead of the server's greeting
	Statement func(query string) *Refusal // instead of the server's answer to a statement; nil passes it on
	Rewrite   map[string]string           // statements that are passed on as others
}

// NewProxy starts a proxy in front of the server of a DSN or URL. It ends with the test.
func NewProxy(t testing.TB, dsn string) *Proxy {
	t.Helper()
	server := configOf(t, dsn)
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // ends with the test
	require.NoError(t, err)
	p := &Proxy{
		URL: "mysql://" + server.User + ":" + server.Passwd + "@" + listener.Addr().String() + "/", network: server.Net, address: server.Addr,
		listener: listener, open: map[net.Conn]struct{}{},
	}
	p.resumed = sync.NewCond(&p.mu)
	p.rules.Store(&Rules{})
	p.passing.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func configOf(t testing.TB, dsn string) *mysql.Config {
	t.Helper()
	if rest, ok := strings.CutPrefix(dsn, "mysql://"); ok {
		credentials, host, _ := strings.Cut(strings.TrimSuffix(rest, "/"), "@")
		dsn = credentials + "@tcp(" + host + ")/"
	}
	c, err := mysql.ParseDSN(dsn)
	require.NoError(t, err)
	return c
}

// Follow has the proxy act by rules from the next connection on.
func (p *Proxy) Follow(rules Rules) { p.rules.Store(&rules) }

// Accepted is the number of connections so far.
func (p *Proxy) Accepted() int64 { return p.accepted.Load() }

// Refused is the number of greetings and statements that were answered with an error so far.
func (p *Proxy) Refused() int64 { return p.refused.Load() }

// Cut closes all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		_ = conn.Close()
	}
}

// Stop has the proxy pass on nothing until Resume, as if the server were stopped. Connections are accepted.
func (p *Proxy) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}

// Resume ends Stop.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = false
	p.resumed.Broadcast()
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.Resume()
	p.Cut()
	p.passing.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.accepted.Add(1)
		p.passing.Go(func() { p.serve(client, p.rules.Load()) })
	}
}

func (p *Proxy) keep(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[conn] = struct{}{}
}

func (p *Proxy) drop(conn net.Conn) {
	_ = conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, conn)
}

// wait returns once the proxy is not stopped.
func (p *Proxy) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.stopped {
		p.resumed.Wait()
	}
}

func (p *Proxy) serve(client net.Conn, rules *Rules) {
	p.keep(client)
	defer p.drop(client)
	p.wait()
	if rules.Greeting != nil {
		p.refused.Add(1)
		_, _ = client.Write(rules.Greeting.packet(0))
		return
	}
	server, err := net.Dial(p.network, p.address) //nolint:noctx // ends with the test
	if err != nil {
		return
	}
	p.keep(server)
	defer p.drop(server)
	p.passing.Go(func() {
		defer p.drop(client)
		p.answers(client, server)
	})
	p.statements(client, server, rules)
}

// answers passes on what the server sends.
func (p *Proxy) answers(client, server net.Conn) {
	buf := make([]byte, 1<<16)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		p.wait()
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// statements passes on what the client sends, packet by packet, except for statements that are refused.
func (p *Proxy) statements(client, server net.Conn, rules *Rules) {
	const query = 0x03
	header := make([]byte, 4)
	for {
		if _, err := io.ReadFull(client, header); err != nil {
			return
		}
		body := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		p.wait()
		if header[3] == 0 && len(body) > 0 && body[0] == query && rules.Statement != nil {
			if no := rules.Statement(string(body[1:])); no != nil {
				p.refused.Add(1)
				if _, err := client.Write(no.packet(1)); err != nil {
					return
				}
				continue
			}
		}
		if other, ok := rules.Rewrite[string(body[min(1, len(body)):])]; ok {
			body = append(body[:1:1], other...)
			header[0], header[1], header[2] = byte(len(body)), byte(len(body)>>8), byte(len(body)>>16)
		}
		if _, err := server.Write(append(header[:4:4], body...)); err != nil {
			return
		}
	}
}

// packet is the refusal as the server sends it.
func (r *Refusal) packet(sequence byte) []byte {
	state := r.State
	if state == "" {
		state = "HY000"
	}
	body := binary.LittleEndian.AppendUint16([]byte{0xff}, r.Number)
	if sequence > 0 { // before the handshake there is no state
		body = append(body, "#"+state...)
	}
	body = append(body, r.Message...)
	return append([]byte{byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16), sequence}, body...)
}
