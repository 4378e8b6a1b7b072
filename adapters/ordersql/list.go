package ordersql

import (
	"context"
	"strings"

	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/query"
)

// List implements query.Store.
func (s *Store) List(ctx context.Context, f query.Filter, limit int) (orders []order.Order, err error) {
	statement, args := list(f, limit)
	rows, err := s.db.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		o, err := scan(rows)
		if err != nil {
			return nil, err
		}
		orders = append(orders, o)
	}
	return orders, rows.Err()
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
	if f.Before != nil {
		where, args = append(where, "id < ?"), append(args, f.Before[:])
	}
	return "SELECT " + columns + " FROM orders WHERE " + strings.Join(where, " AND ") + " ORDER BY id DESC LIMIT ?", append(args, limit)
}
