package sqldb_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/contract"
)

// The server commits, and the connection breaks before its answer arrives.
func TestLostAnswerOfACommitIsUnknown(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]struct {
		publish bool
		insert  func(context.Context, *sqldb.Tx) error
	}{
		"alone":                             {false, insert(2)},
		"behind outbox rows":                {true, insert(2)},
		"behind deferred rows":              {false, newWard().leave(2, 0)},
		"behind deferred rows and outbox's": {true, newWard().leave(2, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lostAnswer(t, change.publish, change.insert)
		})
	}
}

func lostAnswer(t *testing.T, publish bool, change func(context.Context, *sqldb.Tx) error) {
	t.Helper()
	direct := sqldbtest.Open(t, sqldbtest.MySQL(t), things)
	var name string
	require.NoError(t, direct.QueryRow(t.Context(), "SELECT DATABASE()").Scan(&name))
	var cut atomic.Int32
	url := cuttingProxy(t, sqldbtest.MySQL(t), &cut)
	db, err := sqldb.Open(sqldb.Config{URL: url, Name: name})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, db.Migrate(t.Context(), things))
	require.NoError(t, db.Atomically(t.Context(), insert(1)))

	cut.Store(cutBehind)
	ran := 0
	err = db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		ran++
		if publish {
			if err := newKeeper(t, db, false).outbox.Publish(ctx, tx, 1, contract.OrderDeleted{}); err != nil {
				return err
			}
		}
		return change(ctx, tx)
	})
	require.ErrorIs(t, err, sqldb.ErrOutcomeUnknown)
	require.Equal(t, 1, ran, "a change that may be stored is not made again")

	cut.Store(cutNothing)
	require.NoError(t, db.Atomically(t.Context(), insert(3)), "the door is of use afterwards")
	require.Eventually(t, func() bool { return count(t, direct, "SELECT COUNT(*) FROM things") == 3 }, waitFor, tick)
}

// arriving is a context that says when a door begins to wait for its end.
type arriving struct {
	context.Context

	arrived func()
}

func (a arriving) Done() <-chan struct{} {
	a.arrived()
	return a.Context.Done()
}

// Closures of one transaction fail because of what an earlier one did in it. When its commit never happened, their errors would tell of
// something that is not there.
func TestWhatAClosureReadOfALostCommitIsNoAnswer(t *testing.T) {
	t.Parallel()
	direct := sqldbtest.Open(t, sqldbtest.MySQL(t), things)
	var name string
	require.NoError(t, direct.QueryRow(t.Context(), "SELECT DATABASE()").Scan(&name))
	var cut atomic.Int32
	db, err := sqldb.Open(sqldb.Config{URL: cuttingProxy(t, sqldbtest.MySQL(t), &cut), Name: name, Writers: 1, GroupFor: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, db.Migrate(t.Context(), things))

	require.NoError(t, db.Atomically(t.Context(), insert(7)), "connects: that is no COMMIT, but says the word")

	cut.Store(cutBefore)
	taken := errors.New("taken")
	var wg, arrived sync.WaitGroup
	begun, gate := make(chan struct{}), make(chan struct{})
	wg.Go(func() {
		err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			close(begun)
			<-gate
			return insert(1)(ctx, tx)
		})
		if !errors.Is(err, sqldb.ErrOutcomeUnknown) {
			t.Errorf("the first heard %v", err)
		}
	})
	<-begun
	var saw atomic.Int32
	for range 16 {
		arrived.Add(1)
		ctx := arriving{t.Context(), sync.OnceFunc(arrived.Done)}
		wg.Go(func() {
			err := db.Atomically(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
				var n int
				if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM things WHERE id = 1").Scan(&n); err != nil || n == 0 {
					return err
				}
				saw.Add(1)
				return taken
			})
			if errors.Is(err, taken) {
				t.Error("a closure answers what it read in a transaction that was not committed")
			}
		})
	}
	arrived.Wait()
	close(gate)
	wg.Wait()
	require.Positive(t, saw.Load(), "no closure shared the transaction")
	require.Zero(t, count(t, direct, "SELECT COUNT(*) FROM things WHERE id = 1"))
}

// What a cuttingProxy does with a COMMIT.
const (
	cutNothing int32 = iota
	cutBefore        // it hangs up instead
	cutBehind        // it hangs up before the answer
)

// cuttingProxy forwards to the server of dsn, and hangs up at a COMMIT where cut says so.
func cuttingProxy(t *testing.T, dsn string, cut *atomic.Int32) (url string) {
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

func forward(client net.Conn, network, address string, cut *atomic.Int32) {
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
		if bytes.Contains(buf[:n], []byte("COMMIT")) {
			switch cut.Load() {
			case cutBefore:
				return
			case cutBehind:
				hungUp.Store(true)
			}
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
