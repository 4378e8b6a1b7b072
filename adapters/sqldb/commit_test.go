package sqldb_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/contract"
)

// The server commits, and the connection breaks before its answer arrives.
func TestLostAnswerOfACommitIsUnknown(t *testing.T) {
	t.Parallel()
	for name, publish := range map[string]bool{"alone": false, "behind outbox rows": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lostAnswer(t, publish)
		})
	}
}

func lostAnswer(t *testing.T, publish bool) {
	t.Helper()
	direct := sqldbtest.Open(t, sqldbtest.MySQL(t), things)
	var name string
	require.NoError(t, direct.QueryRow(t.Context(), "SELECT DATABASE()").Scan(&name))
	var cut atomic.Bool
	url := cuttingProxy(t, sqldbtest.MySQL(t), &cut)
	db, err := sqldb.Open(sqldb.Config{URL: url, Name: name})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, db.Migrate(t.Context(), things))
	require.NoError(t, db.Atomically(t.Context(), insert(1)))

	cut.Store(true)
	ran := 0
	err = db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		ran++
		if publish {
			if err := newKeeper(t, db, false).outbox.Publish(ctx, tx, 1, contract.OrderDeleted{}); err != nil {
				return err
			}
		}
		return insert(2)(ctx, tx)
	})
	require.ErrorIs(t, err, sqldb.ErrOutcomeUnknown)
	require.Equal(t, 1, ran, "a change that may be stored is not made again")

	cut.Store(false)
	require.NoError(t, db.Atomically(t.Context(), insert(3)), "the door is of use afterwards")
	require.Eventually(t, func() bool { return count(t, direct, "SELECT COUNT(*) FROM things") == 3 }, waitFor, tick)
}

// cuttingProxy forwards to the server of dsn. While cut is set, it forwards a COMMIT and hangs up before the answer.
func cuttingProxy(t *testing.T, dsn string, cut *atomic.Bool) (url string) {
	t.Helper()
	server := serverOf(t, dsn)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go forward(client, server.Net, server.Addr, cut)
		}
	}()
	return server.User + ":" + server.Passwd + "@tcp(" + listener.Addr().String() + ")/"
}

func serverOf(t *testing.T, dsn string) *mysql.Config {
	t.Helper()
	if rest, ok := strings.CutPrefix(dsn, "mysql://"); ok {
		credentials, host, _ := strings.Cut(strings.TrimSuffix(rest, "/"), "@")
		dsn = credentials + "@tcp(" + host + ")/"
	}
	c, err := mysql.ParseDSN(dsn)
	require.NoError(t, err)
	return c
}

func forward(client net.Conn, network, address string, cut *atomic.Bool) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var hungUp atomic.Bool
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := server.Read(buf)
			if err != nil || hungUp.Load() {
				_ = client.Close()
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 1<<16)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if cut.Load() && bytes.Contains(buf[:n], []byte("COMMIT")) {
			hungUp.Store(true)
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
		if hungUp.Load() {
			_, _ = io.Copy(io.Discard, client) // until the answer came and closed it
			return
		}
	}
}
