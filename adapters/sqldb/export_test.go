package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"sync"
)

// Statement is one that was sent to a database.
type Statement struct {
	Query string
	Args  []any
}

// Recording is what a database was sent since it was begun.
type Recording struct {
	mu         sync.Mutex
	statements []Statement
}

// Record begins to record what db is sent, until end is called. Nothing else may use db meanwhile.
func Record(db *DB) (r *Recording, end func() error) {
	r = &Recording{}
	db.truncating.Lock()
	readers, writers := db.readers, db.writers
	db.readers, db.writers = sql.OpenDB(recorder{r, readers}), sql.OpenDB(recorder{r, writers})
	db.writers.SetMaxOpenConns(writers.Stats().MaxOpenConnections)
	return r, func() error {
		err := errors.Join(db.readers.Close(), db.writers.Close())
		db.readers, db.writers = readers, writers
		db.truncating.Unlock()
		return err
	}
}

// Taken returns the statements that came since the last call.
func (r *Recording) Taken() []Statement {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.statements
	r.statements = nil
	return taken
}

func (r *Recording) add(query string, args []driver.NamedValue) {
	s := Statement{Query: query}
	for _, a := range args {
		if b, ok := a.Value.([]byte); ok {
			a.Value = slices.Clone(b)
		}
		s.Args = append(s.Args, a.Value)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statements = append(r.statements, s)
}

// recorder gives connections that are those of another pool.
type recorder struct {
	recording *Recording
	pool      *sql.DB
}

// Connect implements driver.Connector.
func (c recorder) Connect(ctx context.Context) (driver.Conn, error) {
	pooled, err := c.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	r := &recorded{recording: c.recording, pooled: pooled}
	err = pooled.Raw(func(inner any) error {
		var ok bool
		if r.connection, ok = inner.(connection); !ok {
			return errors.New("the driver's connection does less than it is asked for")
		}
		return nil
	})
	return r, err
}

// Driver implements driver.Connector.
func (c recorder) Driver() driver.Driver { return c.pool.Driver() }

// connection is what both drivers can do.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.ConnPrepareContext
}

// recorded is a connection that writes down what it is sent.
type recorded struct {
	connection

	recording *Recording
	pooled    *sql.Conn
}

// Close implements driver.Conn.
func (c *recorded) Close() error { return c.pooled.Close() }

// CheckNamedValue implements driver.NamedValueChecker.
func (c *recorded) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.connection.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// ExecContext implements driver.ExecerContext.
func (c *recorded) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.recording.add(query, args)
	return c.connection.ExecContext(ctx, query, args)
}

// QueryContext implements driver.QueryerContext.
func (c *recorded) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.recording.add(query, args)
	return c.connection.QueryContext(ctx, query, args)
}
