package sqldb

import (
	"context"
	"strings"
)

// Batch says how rows of one kind are stored that closures leave to the door.
type Batch struct {
	Into string // the table and its columns: "orders (id, user_id)"
	// Check looks at what the rows stand on, and locks it, right before they are stored.
	Check func(ctx context.Context, tx *Tx, rows [][]any) error
}

// Bounds of a batch, so that it fits the packet that any server takes, with the outbox rows behind it.
const (
	deferredRows  = 100
	deferredBytes = 16 << 10 // of one row
)

// deferral is what the closures of a transaction have deferred and the door has not stored yet.
type deferral struct {
	batch *Batch
	rows  [][]any
	own   int // where those of the closure begin whose turn it is
}

// Defer leaves row to the door. It is stored together with those of other closures, by one statement: before the commit, or before the next
// statement of anybody in the transaction, which may have to see it. Where that fails, or the check of b, all of it is undone and
// each closure runs again alone.
//
// It is false where the row is to be stored at once, as in the transaction of a closure that runs alone.
func (tx *Tx) Defer(b *Batch, row []any) bool {
	d := &tx.deferred
	if !tx.defers || tx.ended != nil || len(d.rows) > 0 && d.batch != b || len(d.rows) >= deferredRows || sizeOf(row) > deferredBytes {
		return false
	}
	d.batch = b
	d.rows = append(d.rows, row)
	return true
}

// taken empties d and gives what was in it.
func (d *deferral) taken() deferral {
	all := *d
	*d = deferral{}
	return all
}

// sizeOf is about how long values are in a statement.
func sizeOf(row []any) (n int) {
	for _, v := range row {
		switch v := v.(type) {
		case []byte:
			n += len(v)
		case string:
			n += len(v)
		default:
			n += 20
		}
	}
	return n
}

// catchUp stores what is deferred: those rows of earlier closures outside of the savepoint of the one whose turn it is, its own within.
// An error is no matter of the statement that follows, so it ends the transaction.
func (tx *Tx) catchUp() error {
	if len(tx.deferred.rows) == 0 {
		return nil
	}
	guard := tx.guard
	tx.guard = unguarded
	d := tx.deferred.taken()
	err := tx.insert(deferral{batch: d.batch, rows: d.rows[:d.own]})
	tx.guard = guard
	if err == nil {
		err = tx.insert(deferral{batch: d.batch, rows: d.rows[d.own:]})
	}
	if err != nil && tx.ended == nil {
		tx.ended = err
	}
	return err
}

func (tx *Tx) insert(d deferral) error {
	p, err := tx.checked(d)
	if err != nil {
		return err
	}
	return tx.send(p)
}

// send executes p, if there is something in it.
func (tx *Tx) send(p packet) error {
	if p.query == "" {
		return nil
	}
	_, err := tx.exec(p.query, p.args...)
	return err
}

// checked gives the statement that stores d, if its check passes.
func (tx *Tx) checked(d deferral) (p packet, err error) {
	if len(d.rows) == 0 {
		return p, nil
	}
	if d.batch.Check != nil {
		if err := d.batch.Check(context.Background(), tx, d.rows); err != nil {
			return p, err
		}
	}
	row := Placeholders(len(d.rows[0]))
	p.query = "INSERT INTO " + d.batch.Into + " VALUES " + row + strings.Repeat(", "+row, len(d.rows)-1)
	p.args = make([]any, 0, len(d.rows)*len(d.rows[0]))
	for _, r := range d.rows {
		p.args = append(p.args, r...)
	}
	return p, nil
}

// packet is statements that travel together, which only MySQL can do: a round trip costs as much as a change.
type packet struct {
	query string
	args  []any
}

// then gives the packet with another statement behind it.
func (p packet) then(query string, args ...any) packet {
	if p.query != "" {
		query = p.query + "; " + query
	}
	return packet{query, append(p.args, args...)}
}
