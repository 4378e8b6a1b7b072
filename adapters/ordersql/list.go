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
func (s *Store) List(ctx context.Context, f query.Filter, limit int) ([]order.Order, error) {
	statement, args := list(f, limit)
	rows, err := s.db.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	return sqldb.Collect(rows, scan)
}

// list asks for a user's orders once per status and puts the answers together, so that each part is read from the index in
// order, whatever number of orders the user has.
func list(f query.Filter, limit int) (statement string, args []any) {
	if f.UserID == nil || f.Status != "" {
		return page(f, limit)
	}
	var parts []string
	for _, status := range order.Statuses() {
		f.Status = status
		part, partArgs := page(f, limit)
		parts, args = append(parts, "SELECT * FROM ("+part+") AS "+string(status)), append(args, partArgs...)
	}
	return strings.Join(parts, " UNION ALL ") + " ORDER BY id DESC LIMIT ?", append(args, limit)
}

func page(f query.Filter, limit int) (statement string, args []any) {
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
	return "SELECT " + columns + " FROM orders WHERE " + strings.Join(where, " AND ") + " ORDER BY id DESC LIMIT ?", append(args, limit)
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
