package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
)

// connectError is an error that came while connecting. Whatever its number, the database could not be used, and nothing was changed.
type connectError struct{ err error }

func (e *connectError) Error() string { return "connect: " + e.err.Error() }

func (e *connectError) Unwrap() error { return e.err }

// connector marks what fails while connecting, where database/sql mixes it with the errors of statements.
type connector struct{ driver.Connector }

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil: // it is the caller who gave up
		return nil, ctx.Err()
	}
	return nil, &connectError{err}
}

// sessions are the connections to MySQL of all pools of a database. A failover concerns all of them, and so does a server that hangs.
type sessions struct {
	generation atomic.Int64 // sessions of an earlier one are not used again
	expired    atomic.Int64 // when the last generation ended, in nanoseconds
	answered   atomic.Int64 // when the server last answered a statement, in nanoseconds

	mu   sync.Mutex
	open map[net.Conn]struct{}
}

func newSessions() *sessions { return &sessions{open: map[net.Conn]struct{}{}} }

// dialed is where a dialer leaves its connection for the connector.
type dialed struct{ conn net.Conn }

type dialedKey struct{}

// dial connects, and keeps hold of the connection until forget.
func (s *sessions) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[conn] = struct{}{}
	if slot, ok := ctx.Value(dialedKey{}).(*dialed); ok {
		slot.conn = conn
	}
	return conn, nil
}

func (s *sessions) forget(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
}

// cut closes all connections, so that nobody goes on waiting for a server that hangs.
func (s *sessions) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		_ = conn.Close()
	}
}

// expireEvery bounds how often all sessions are replaced while a server keeps refusing writes.
const expireEvery = time.Second

// expire has all sessions of a generation replaced before they are used again.
func (s *sessions) expire(generation int64) {
	now := time.Now().UnixNano()
	if now-s.expired.Load() > expireEvery.Nanoseconds() && s.generation.CompareAndSwap(generation, generation+1) {
		s.expired.Store(now)
	}
}

// sessionConnector opens sessions on MySQL.
type sessionConnector struct {
	driver.Connector
	sessions *sessions
	setup    []string
}

// statementLimits are the server's limit for a statement, below the client's: MariaDB's and MySQL's.
var statementLimits = []string{"SET SESSION max_statement_time = 8", "SET SESSION max_execution_time = 8000"}

// isolation is set by a statement: the variable has two names among the servers.
const isolation = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"

const unknownVariable = 1193

// Connect implements driver.Connector.
func (c sessionConnector) Connect(ctx context.Context) (driver.Conn, error) {
	generation, slot := c.sessions.generation.Load(), &dialed{}
	conn, err := c.Connector.Connect(context.WithValue(ctx, dialedKey{}, slot))
	if err != nil {
		c.sessions.forget(slot.conn)
		return nil, err
	}
	inner, ok := conn.(mysqlConn)
	if !ok {
		c.sessions.forget(slot.conn)
		return nil, errors.Join(errors.New("the MySQL driver lacks a method that sessions need"), conn.Close())
	}
	s := &session{mysqlConn: inner, all: c.sessions, conn: slot.conn, generation: generation}
	for _, statement := range c.setup {
		_, err := inner.ExecContext(ctx, statement, nil)
		if e, ok := errors.AsType[*mysql.MySQLError](err); err != nil && (!ok || e.Number != unknownVariable) {
			return nil, errors.Join(err, s.Close())
		}
	}
	if s.packet, err = readNumber(ctx, inner, "SELECT @@max_allowed_packet"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// readNumber reads the one number that query gives.
func readNumber(ctx context.Context, conn driver.QueryerContext, query string) (n int, err error) {
	rows, err := conn.QueryContext(ctx, query, nil)
	if err != nil {
		return 0, err
	}
	dest := make([]driver.Value, 1)
	if err = rows.Next(dest); err == nil {
		_, err = fmt.Sscan(text(dest[0]), &n)
	}
	return n, errors.Join(err, rows.Close())
}

// text is a value of the driver as the server wrote it.
func text(v driver.Value) string {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return fmt.Sprint(v)
}

// mysqlConn is what database/sql uses of a connection of the driver.
type mysqlConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.SessionResetter
	driver.Validator
	driver.Pinger
}

// session is a connection to MySQL that is given up once the server refuses writes on it: after a failover it leads to the old primary.
type session struct {
	mysqlConn
	all        *sessions
	conn       net.Conn
	generation int64
	packet     int  // the server's max_allowed_packet
	refused    bool // a write, because the server is read-only
}

// ExecContext implements driver.ExecerContext.
func (s *session) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := checkSize(args, s.packet); err != nil {
		return nil, err
	}
	result, err := s.mysqlConn.ExecContext(ctx, query, args)
	return result, s.note(notSkipped(query, err))
}

// QueryContext implements driver.QueryerContext.
func (s *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := checkSize(args, s.packet); err != nil {
		return nil, err
	}
	rows, err := s.mysqlConn.QueryContext(ctx, query, args)
	return rows, s.note(notSkipped(query, err))
}

func (s *session) note(err error) error {
	number := numberOf(err)
	if err == nil || number != 0 {
		s.all.answered.Store(time.Now().UnixNano())
	}
	if refusesWrites(number) {
		s.refused = true
		s.all.expire(s.generation)
	}
	return err
}

// ResetSession implements driver.SessionResetter: it is asked before the session is used again.
func (s *session) ResetSession(ctx context.Context) error {
	if s.stale() {
		return driver.ErrBadConn
	}
	return s.mysqlConn.ResetSession(ctx)
}

// IsValid implements driver.Validator.
func (s *session) IsValid() bool { return !s.stale() && s.mysqlConn.IsValid() }

func (s *session) stale() bool { return s.refused || s.generation != s.all.generation.Load() }

// Close implements driver.Conn.
func (s *session) Close() error {
	s.all.forget(s.conn)
	return s.mysqlConn.Close()
}
