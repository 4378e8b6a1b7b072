package sqldb

import (
	"database/sql"
	"strings"
)

// Scanner is what one row is read from: Rows at their present row, or a Row.
type Scanner interface{ Scan(dest ...any) error }

// Rows are the rows of a query, used like sql.Rows.
type Rows struct {
	rows *sql.Rows
	note func(error) error
}

// Next moves to the next row. False means that there are no more, or an error, which the transaction remembers even if nobody asks
// Err for it.
func (r *Rows) Next() bool {
	if r.rows.Next() {
		return true
	}
	_ = r.note(r.rows.Err()) // Err gives it to who asks
	return false
}

// Scan reads the row.
func (r *Rows) Scan(dest ...any) error { return r.note(r.rows.Scan(dest...)) }

// Err gives the error that ended the rows early.
func (r *Rows) Err() error { return r.note(r.rows.Err()) }

// Close lets the rows go.
func (r *Rows) Close() error { return r.note(r.rows.Close()) }

// Collect reads rows to their end with scan and closes them.
func Collect[T any](rows *Rows, scan func(Scanner) (T, error)) (all []T, err error) {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// Row is the one row of a query, used like sql.Row.
type Row struct {
	row  *sql.Row
	err  error
	note func(error) error
}

// Scan reads the row; the error is sql.ErrNoRows where there is none.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	return r.note(r.row.Scan(dest...))
}

// Placeholders gives "(?,?,…)" with n of them: one row of values, or the list of an IN. n is at least 1.
func Placeholders(n int) string { return "(?" + strings.Repeat(",?", n-1) + ")" }
