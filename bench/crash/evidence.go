package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/millrace/millrace/bench/cluster"
)

// fact is one event as the history keeps it.
type fact struct {
	id, kind, source, key string
	sequence, position    int64
	correlation           string
	data                  state
}

// state is what an event says of its aggregate.
type state struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Version int64  `json:"version"`
	Total   int64  `json:"total"`
	Reason  string `json:"reason"`
}

// row is an aggregate as its service keeps it.
type row struct {
	owner, status, reason    string // of orders alone
	version, sequence, total int64
}

// evidence is everything that the stores say once it is calm.
type evidence struct {
	history   []fact
	orders    map[string]row
	users     map[string]row
	admin     string            // the admin's ID, whose events no deed of ours caused
	outbox    map[string]string // event ID → service, of rows that are kept
	stream    []sent            // in the stream's order
	applied   map[string]int64  // order-customers' own count per user
	customers map[string]bool   // user ID → deleted
	poison    []string
	leftOut   int64
}

// collect reads all of it from the databases.
func collect(ctx context.Context, s *stores) (evidence, error) {
	e := evidence{
		orders: map[string]row{}, users: map[string]row{}, outbox: map[string]string{}, applied: map[string]int64{},
		customers: map[string]bool{},
	}
	for _, read := range []func(context.Context, *stores) error{
		e.readHistory, e.readOrders, e.readUsers, e.readOutboxes, e.readInbox, e.readCustomers, e.readPoison,
	} {
		if err := read(ctx, s); err != nil {
			return e, err
		}
	}
	return e, nil
}

// each runs a query and hands each row's Scan on.
func (s *stores) each(ctx context.Context, service, query string, take func(scan func(...any) error) error) error {
	rows, err := s.of[service].QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("%s: %w", service, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := take(rows.Scan); err != nil {
			return fmt.Errorf("%s: %w", service, err)
		}
	}
	return rows.Err()
}

func name(id []byte) string {
	u, err := uuid.FromBytes(id)
	if err != nil {
		return fmt.Sprintf("%x", id)
	}
	return u.String()
}

func (e *evidence) readHistory(ctx context.Context, s *stores) error {
	return s.each(ctx, "event", `SELECT event_id, type, source, partition_key, COALESCE(sequence, 0), COALESCE(position, 0),
		correlation_id, data FROM history ORDER BY position`, func(scan func(...any) error) error {
		var f fact
		var id, data []byte
		if err := scan(&id, &f.kind, &f.source, &f.key, &f.sequence, &f.position, &f.correlation, &data); err != nil {
			return err
		}
		f.id = name(id)
		e.history = append(e.history, f)
		return json.Unmarshal(data, &e.history[len(e.history)-1].data)
	})
}

func (e *evidence) readOrders(ctx context.Context, s *stores) error {
	return s.each(ctx, "order", "SELECT id, user_id, status, version, sequence, total, cancel_reason FROM orders",
		func(scan func(...any) error) error {
			var id, owner []byte
			var r row
			err := scan(&id, &owner, &r.status, &r.version, &r.sequence, &r.total, &r.reason)
			r.owner = name(owner)
			e.orders[name(id)] = r
			return err
		})
}

func (e *evidence) readUsers(ctx context.Context, s *stores) error {
	return s.each(ctx, "user", "SELECT id, email, version, sequence FROM users", func(scan func(...any) error) error {
		var id []byte
		var email string
		var r row
		err := scan(&id, &email, &r.version, &r.sequence)
		e.users[name(id)] = r
		if email == cluster.AdminEmail {
			e.admin = name(id)
		}
		return err
	})
}

func (e *evidence) readOutboxes(ctx context.Context, s *stores) error {
	for _, service := range cluster.Services {
		err := s.each(ctx, service, "SELECT message_id FROM outbox WHERE topic LIKE 'events.%'", func(scan func(...any) error) error {
			var id []byte
			err := scan(&id)
			e.outbox[name(id)] = service
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *evidence) readInbox(ctx context.Context, s *stores) error {
	err := s.each(ctx, "order", "SELECT partition_key, applied FROM inbox WHERE consumer = 'order-customers'",
		func(scan func(...any) error) error {
			var key string
			var n int64
			err := scan(&key, &n)
			e.applied[key] += n
			return err
		})
	if err != nil {
		return err
	}
	for _, service := range cluster.Services {
		n, err := s.count(ctx, service, "SELECT COUNT(*) FROM inbox_left_out")
		if err != nil {
			return err
		}
		e.leftOut += n
	}
	return nil
}

func (e *evidence) readCustomers(ctx context.Context, s *stores) error {
	return s.each(ctx, "order", "SELECT user_id, deleted_at IS NOT NULL FROM customers", func(scan func(...any) error) error {
		var id []byte
		var deleted bool
		err := scan(&id, &deleted)
		e.customers[name(id)] = deleted
		return err
	})
}

func (e *evidence) readPoison(ctx context.Context, s *stores) error {
	return s.each(ctx, "event", "SELECT consumer, type, partition_key, reason FROM poison", func(scan func(...any) error) error {
		var consumer, kind, key, reason string
		err := scan(&consumer, &kind, &key, &reason)
		e.poison = append(e.poison, fmt.Sprintf("%s gave up %s of %s: %s", consumer, kind, key, reason))
		return err
	})
}
