package e2e_test

import (
	"crypto/rand"
	"database/sql"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/internal/timingtest"

	"github.com/millrace/millrace/adapters/natsjs/natstest"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
)

// split is a system of one process per service, and two of those that take messages, on MySQL and a nats-server of their own.
type split struct {
	user   *node
	orders [2]*node
	events [2]*node
}

func startSplit(t *testing.T) split {
	t.Helper()
	database := freshDatabases(t)
	server := natstest.Start(t)
	flags := func(service string, more ...string) []string {
		return append([]string{
			"--service=" + service, "--database-url=" + database, "--broker-url=" + server.URL(), "--secret-key=" + testSecret,
			"--data-dir=" + t.TempDir(),
		}, more...)
	}
	var s split
	s.user = start(t, flags("user")...)
	jwks := "--jwks-url=" + s.user.url + "/.well-known/jwks.json"
	for i := range s.orders {
		s.orders[i] = start(t, flags("order", jwks)...)
		s.events[i] = start(t, flags("event", jwks)...)
	}
	for _, n := range []*node{s.user, s.orders[0], s.orders[1], s.events[0], s.events[1]} {
		n.ready()
	}
	return s
}

// freshDatabases gives the URL of databases with a prefix of the test's own, dropped at its end.
func freshDatabases(t *testing.T) (url string) {
	t.Helper()
	server := sqldbtest.MySQL(t)
	if rest, ok := strings.CutPrefix(server, "mysql://"); ok {
		credentials, host, _ := strings.Cut(strings.Trim(rest, "/"), "@")
		server = credentials + "@tcp(" + host + ")/"
	}
	dsn, err := mysql.ParseDSN(server)
	require.NoError(t, err)
	server = dsn.FormatDSN()
	prefix := "millrace_test_" + strings.ToLower(rand.Text()[:8])
	t.Cleanup(func() {
		db, err := sql.Open("mysql", server)
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()
		for _, service := range []string{"user", "order", "event"} {
			_, err := db.Exec("DROP DATABASE IF EXISTS `" + prefix + "_" + service + "`") //nolint:usetesting // the test's ctx has ended
			require.NoError(t, err)
		}
	})
	dsn.DBName = prefix
	return dsn.FormatDSN()
}

func TestReplicasOfEachServiceOnMySQLAndNATS(t *testing.T) {
	t.Parallel()
	s := startSplit(t)
	userID, user := s.user.register("ada@example.org")
	const orders = 30
	var ids []string
	for i := range orders {
		id := s.orders[i%2].place(user, "X-Correlation-ID", "split")
		a := s.orders[(i+1)%2].send(user, http.MethodPut, "/api/orders/"+id, `{"note":"changed"}`, "X-Correlation-ID", "split")
		require.Equal(t, http.StatusOK, a.status, a.body)
		ids = append(ids, id)
	}
	a := s.user.send(user, http.MethodDelete, "/api/users/"+userID, "", "X-Correlation-ID", "split")
	require.Equal(t, http.StatusNoContent, a.status, a.body)

	admin := s.user.admin()
	for _, events := range s.events {
		require.Len(t, events.types(admin, "correlation_id=split", 3*orders+1), 3*orders+1)
		for _, id := range ids {
			require.Equal(t, []string{"order.placed.v1", "order.updated.v1", "order.cancelled.v1"}, events.types(admin, "key="+id, 3))
		}
	}
	all := s.events[0].history(admin, "correlation_id=split")
	require.Equal(t, all, s.events[1].history(admin, "correlation_id=split"), "both replicas tell the same history")
	require.Empty(t, s.events[0].poison(admin, "", 0))
	for _, n := range []*node{s.orders[0], s.events[1], s.user, s.orders[1], s.events[0]} {
		require.Zero(t, n.shut(), "%s", n.errs)
	}
}

// A broker that comes back without its files gets its streams again, and from the outboxes what was published within the hour.
func TestEventsAreRepublishedToABrokerThatLostItsFiles(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	n := start(t, "--data-dir="+t.TempDir(), "--broker-url="+server.URL()).ready()
	_, user := n.register("gaia@example.org")
	first := n.place(user)
	admin := n.admin()
	n.types(admin, "key="+first, 1)

	server.Kill()
	require.NoError(t, os.RemoveAll(filepath.Join(server.Dir(), "store")))
	second := n.place(user)
	server.Start()
	n.types(admin, "key="+second, 1)

	streamHolds(t, jetStream(t, server), 4) // admin, user and both orders
	require.Len(t, n.history(admin, ""), 4, "what was published again is recorded once")
}

// A stream that is made anew, and what a cluster's other nodes lose, is noticed though the connection stands.
func TestEventsAreRepublishedToARecreatedStream(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	n := start(t, "--data-dir="+t.TempDir(), "--broker-url="+server.URL()).ready()
	_, user := n.register("gaia@example.org")
	order := n.place(user)
	admin := n.admin()
	n.types(admin, "key="+order, 1)
	js := jetStream(t, server)
	streamHolds(t, js, 3)

	stream, err := js.Stream(t.Context(), "EVENTS")
	require.NoError(t, err)
	require.NoError(t, js.DeleteStream(t.Context(), "EVENTS"))
	_, err = js.CreateStream(t.Context(), stream.CachedInfo().Config)
	require.NoError(t, err)

	streamHolds(t, js, 3)
	require.Len(t, n.history(admin, ""), 3)
}

func jetStream(t *testing.T, server *natstest.Server) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(server.URL())
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	return js
}

// streamHolds waits until the stream of events holds a number of messages.
func streamHolds(t *testing.T, js jetstream.JetStream, messages uint64) {
	t.Helper()
	require.Eventually(t, func() bool {
		stream, err := js.Stream(t.Context(), "EVENTS")
		return err == nil && stream.CachedInfo().State.Msgs == messages
	}, waitFor, tick)
}

// A database that hangs keeps neither the process nor its callers for long.
func TestDrainEndsWhileTheDatabaseHangs(t *testing.T) {
	t.Parallel()
	database := freshDatabases(t)
	dsn, err := mysql.ParseDSN(database)
	require.NoError(t, err)
	proxy := startProxy(t, dsn.Net, dsn.Addr)
	dsn.Net, dsn.Addr = "tcp", proxy.listener.Addr().String()
	n := start(t, "--service=user", "--database-url="+dsn.FormatDSN(), "--broker-url=memory:", "--secret-key="+testSecret).ready()
	proxy.hung.Store(true)
	go func() {
		_, _ = n.try("", http.MethodPost, "/api/users", `{"email":"a@example.org","name":"A","password":"correct horse battery"}`)
	}()
	require.Eventually(t, func() bool { return n.get("", "/readyz").status == http.StatusServiceUnavailable }, waitFor, tick)
	began := time.Now()
	require.Zero(t, n.shut())
	timingtest.Within(t, began, longestDrain, "the drain")
}

// proxy stands before a server and can stop passing anything on.
type proxy struct {
	listener net.Listener
	hung     atomic.Bool
	mu       sync.Mutex
	open     []net.Conn
}

func startProxy(t *testing.T, network, address string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: listener}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				_ = client.Close()
				continue
			}
			p.mu.Lock()
			p.open = append(p.open, client, server)
			p.mu.Unlock()
			running.Go(func() { p.pass(server, client) })
			running.Go(func() { p.pass(client, server) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.mu.Lock()
		for _, conn := range p.open {
			_ = conn.Close()
		}
		p.mu.Unlock()
		running.Wait()
	})
	return p
}

func (p *proxy) pass(to, from net.Conn) {
	defer func() { _ = to.Close() }()
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if p.hung.Load() {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A scrape writes down what is counted in memory: a database that hangs does not hold it up, and a scraper is no burden to one.
func TestMetricsAreServedWhileTheDatabaseHangs(t *testing.T) {
	t.Parallel()
	database := freshDatabases(t)
	dsn, err := mysql.ParseDSN(database)
	require.NoError(t, err)
	proxy := startProxy(t, dsn.Net, dsn.Addr)
	dsn.Net, dsn.Addr = "tcp", proxy.listener.Addr().String()
	n := start(t, "--database-url="+dsn.FormatDSN(), "--broker-url=memory:", "--secret-key="+testSecret, "--data-dir="+t.TempDir()).ready()
	proxy.hung.Store(true)
	require.Eventually(t, func() bool { return n.get("", "/readyz").status == http.StatusServiceUnavailable }, waitFor, tick)
	scraped := make(chan answer, 1)
	began := time.Now()
	go func() {
		a, _ := n.try("", http.MethodGet, "/metrics", "")
		scraped <- a
	}()
	select {
	case a := <-scraped:
		require.Equal(t, http.StatusOK, a.status)
		require.Contains(t, a.body, "\nmillrace_outbox_backlog{")
		timingtest.Within(t, began, 5*time.Second, "a scrape that waits for no statement, which is given up after 10 s")
	case <-time.After(waitFor):
		t.Fatal("a scrape waits for the database")
	}
}
