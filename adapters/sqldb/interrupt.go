package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"
	"sync"
	"time"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// interruptible opens connections to SQLite on which a query ends with its context, or with its time limit, at any time. The driver looks
// at the context only until the first row is there; a scan for the second may take minutes. The limit does not count how long the query
// waited for a connection.
type interruptible struct {
	driver.Connector
	limit time.Duration
}

// Connect implements driver.Connector.
func (c interruptible) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner, ok := conn.(sqliteConn)
	handle := handleOf(conn)
	if !ok || handle == 0 {
		return nil, errors.Join(errors.New("the SQLite driver is not the one that this program was written for"), conn.Close())
	}
	return &interruptibleConn{inner, handle, c.limit}, nil
}

// sqliteConn is what database/sql uses of a connection of the driver.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
	driver.Pinger
}

// handleOf is the sqlite3 object of a connection, which the driver does not give away; 0 where there is none.
func handleOf(conn driver.Conn) uintptr {
	v := reflect.ValueOf(conn)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return 0
	}
	if f := v.Elem().FieldByName("db"); f.IsValid() && f.Kind() == reflect.Uintptr {
		return uintptr(f.Uint())
	}
	return 0
}

type interruptibleConn struct {
	sqliteConn
	handle uintptr
	limit  time.Duration
}

// QueryContext implements driver.QueryerContext.
func (c *interruptibleConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	limited, cancel := context.WithTimeout(ctx, c.limit)
	r := &interruptibleRows{ctx: ctx, limited: limited, cancel: cancel}
	var err error
	if r.Rows, err = c.sqliteConn.QueryContext(limited, query, args); err != nil {
		err = r.explain(err)
		cancel()
		return nil, err
	}
	r.stop = context.AfterFunc(limited, func() { r.interrupt(c.handle) })
	return r, nil
}

// interruptibleRows end with the context of their query.
type interruptibleRows struct {
	driver.Rows

	ctx, limited context.Context //nolint:containedctx // of this query
	cancel       context.CancelFunc
	stop         func() bool
	mu           sync.Mutex
	closed       bool
}

// Next implements driver.Rows.
func (r *interruptibleRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err != nil && !errors.Is(err, io.EOF) {
		return r.explain(err)
	}
	return err
}

// explain says who ended the query: its caller, or the time limit.
func (r *interruptibleRows) explain(err error) error {
	switch {
	case r.ctx.Err() != nil:
		return r.ctx.Err()
	case r.limited.Err() != nil:
		return ErrTooSlow.Because(err)
	}
	return err
}

// interrupt ends the query, unless its rows were closed: the connection may serve another by then.
func (r *interruptibleRows) interrupt(handle uintptr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	tls := libc.NewTLS()
	defer tls.Close()
	sqlite3.Xsqlite3_interrupt(tls, handle)
}

// Close implements driver.Rows.
func (r *interruptibleRows) Close() error {
	r.stop()
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	return r.Rows.Close()
}
