package ordersql

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/order"
)

const columns = "id, user_id, status, items, currency, total, note, version, sequence, created_at, updated_at, cancelled_at, cancel_reason"

// userColumn is the place of user_id among them.
const userColumn = 1

// places has one for each of the columns.
const places = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"

// valuesOf gives an order's values of the columns.
func valuesOf(o order.Order) ([]any, error) {
	items, err := encode(o.Items)
	if err != nil {
		return nil, err
	}
	return []any{
		o.ID[:], o.UserID[:], string(o.Status), items, o.Currency, o.Total, o.Note, o.Version, o.Sequence,
		sqldb.Micros(o.CreatedAt), sqldb.Micros(o.UpdatedAt), micros(o.CancelledAt), o.CancelReason,
	}, nil
}

// item is an order's line as it is stored: short names, since every order has them.
type item struct {
	SKU       string `json:"s"`
	Quantity  int64  `json:"q"`
	UnitPrice int64  `json:"p"`
}

// scanOne reads an order; the error is order.ErrNotFound where there is none.
func scanOne(r sqldb.Scanner) (order.Order, error) {
	o, err := scan(r)
	if errors.Is(err, sql.ErrNoRows) {
		return order.Order{}, order.ErrNotFound
	}
	return o, err
}

func scan(r sqldb.Scanner) (order.Order, error) {
	var (
		o                    order.Order
		items                []byte
		createdAt, updatedAt int64
		cancelledAt          sql.NullInt64
	)
	err := r.Scan(&o.ID, &o.UserID, &o.Status, &items, &o.Currency, &o.Total, &o.Note, &o.Version, &o.Sequence,
		&createdAt, &updatedAt, &cancelledAt, &o.CancelReason)
	if err != nil {
		return order.Order{}, fmt.Errorf("read an order: %w", err)
	}
	if o.Items, err = decode(items); err != nil {
		return order.Order{}, err
	}
	o.CreatedAt, o.UpdatedAt, o.CancelledAt = sqldb.FromMicros(createdAt), sqldb.FromMicros(updatedAt), moment(cancelledAt)
	return o, nil
}

func encode(items []order.Item) ([]byte, error) {
	stored := make([]item, len(items))
	for i, line := range items {
		stored[i] = item(line)
	}
	encoded, err := json.Marshal(stored)
	if err != nil {
		return nil, fmt.Errorf("encode an order's items: %w", err)
	}
	return encoded, nil
}

func decode(encoded []byte) ([]order.Item, error) {
	var stored []item
	if err := json.Unmarshal(encoded, &stored); err != nil {
		return nil, fmt.Errorf("decode an order's items: %w", err)
	}
	items := make([]order.Item, len(stored))
	for i, line := range stored {
		items[i] = order.Item(line)
	}
	return items, nil
}

func moment(us sql.NullInt64) *time.Time {
	if !us.Valid {
		return nil
	}
	at := sqldb.FromMicros(us.Int64)
	return &at
}

// micros is NULL for no time.
func micros(at *time.Time) any {
	if at == nil {
		return nil
	}
	return sqldb.Micros(*at)
}
