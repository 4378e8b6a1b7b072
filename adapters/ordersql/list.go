package ordersql

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/query"
)

// List implements query.Store.
func (s *Store) List(ctx context.Context, f query.Filter, limit int) (orders []order.Order, more bool, err error) {
	return sqldb.ReadPage(limit, func(last *order.Order, n int) (*sqldb.Rows, error) {
		if last != nil {
			f.Behind = &last.ID
		}
		statement, args := list(s.db.Dialect(), f, n)
		return s.db.Query(ctx, statement, args...)
	}, scanWeighed)
}

// scanWeighed also returns how large the order is in an answer, about.
func scanWeighed(r sqldb.Scanner) (o order.Order, size int, err error) {
	o, err = scan(r)
	size = 500 + len(o.Note) + len(o.CancelReason)
	for _, item := range o.Items {
		size += 60 + len(item.SKU)
	}
	return o, size, err
}

// list asks for a user's orders once per status and puts the answers together, so that each part is read from the index in
// order, whatever number of orders the user has. Only their IDs are put together: MySQL keeps the parts in a table of its own meanwhile.
func list(d sqldb.Dialect, f query.Filter, limit int) (statement string, args []any) {
	if f.UserID == nil || f.Status != "" {
		return page(d, columns, f, limit)
	}
	var parts []string
	for _, status := range order.Statuses() {
		f.Status = status
		part, partArgs := page(d, "id", f, limit)
		parts, args = append(parts, "SELECT id AS found_key FROM ("+part+") AS "+string(status)), append(args, partArgs...)
	}
	ids := strings.Join(parts, " UNION ALL ") + " ORDER BY found_key DESC LIMIT ?"
	return "SELECT " + columns + " FROM " + d.OrderedJoin(ids, "orders", "id", "found_key DESC"), append(args, limit)
}

// indexOf names the index that a page is read from. MySQL may otherwise go through all orders by their IDs, for a status that few have.
func indexOf(d sqldb.Dialect, f query.Filter) string {
	switch {
	case f.Status == "":
		return ""
	case f.UserID == nil:
		return d.UseIndex("orders_status")
	}
	return d.UseIndex("orders_user")
}

func page(d sqldb.Dialect, selected string, f query.Filter, limit int) (statement string, args []any) {
	where := []string{"1 = 1"}
	if f.UserID != nil {
		where, args = append(where, "user_id = ?"), append(args, f.UserID[:])
	}
	if f.Status != "" {
		where, args = append(where, "status = ?"), append(args, string(f.Status))
	}
	if f.Behind != nil {
		where, args = append(where, "id < ?"), append(args, f.Behind[:])
	}
	if f.After != nil {
		from := idAt(f.After.Add(-idSlack))
		where, args = append(where, "id >= ? AND created_at >= ?"), append(args, from[:], microsUp(*f.After))
	}
	if f.Before != nil {
		until := idAt(f.Before.Add(idSlack))
		where, args = append(where, "id < ? AND created_at < ?"), append(args, until[:], microsUp(*f.Before))
	}
	statement = "SELECT " + selected + " FROM orders" + indexOf(d, f) + " WHERE " + strings.Join(where, " AND ") + " ORDER BY id DESC LIMIT ?"
	return statement, append(args, limit)
}

// idSlack is how far the time in an order's ID may be from its created_at. They are read from one clock, right after each other, so
// that it is far more than they differ.
const idSlack = time.Minute

// idAt is below every ID that was drawn at t or later, since these begin with their time. By it a list of a span of time reads that
// span of the index and no more; created_at, which no index has, then decides to the microsecond.
func idAt(t time.Time) (id uuid.UUID) {
	ms := min(max(t.UnixMilli(), 0), 1<<48-1)
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	return id
}

// microsUp is the first stored time that is not before t: what is stored has no fractions of a microsecond.
func microsUp(t time.Time) int64 { return sqldb.Micros(t.Add(time.Microsecond - 1)) }
