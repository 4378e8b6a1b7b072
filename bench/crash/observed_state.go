package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/millrace/millrace/bench/cluster"
)

// historyEvent is one event of the event service's history.
type historyEvent struct {
	id, eventType, source, key string
	sequence, position         int64
	correlationID              string
	data                       eventData
}

// eventData is the state of the aggregate in an event's payload.
type eventData struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Version int64  `json:"version"`
	Total   int64  `json:"total"`
	Reason  string `json:"reason"`
}

// aggregateRow is an order or a user in its service's database.
type aggregateRow struct {
	owner, status, reason    string // of orders only
	version, sequence, total int64
}

// observedState is what the databases and the stream contain when the system is idle.
type observedState struct {
	history     []historyEvent
	orders      map[string]aggregateRow
	users       map[string]aggregateRow
	adminID     string            // of the admin, whom no request of the load created
	outbox      map[string]string // event ID to service
	stream      []streamMessage   // in stream order
	applied     map[string]int64  // number of events that order-customers applied, by user
	customers   map[string]bool   // user ID to whether the order service knows that the user is deleted
	poison      []string
	skippedRuns int64 // ranges of sequence numbers that an inbox has skipped
}

// readState reads the observed state from the databases, except for the stream.
func readState(ctx context.Context, d *databases) (observedState, error) {
	s := observedState{
		orders: map[string]aggregateRow{}, users: map[string]aggregateRow{}, outbox: map[string]string{}, applied: map[string]int64{},
		customers: map[string]bool{},
	}
	for _, read := range []func(context.Context, *databases) error{
		s.readHistory, s.readOrders, s.readUsers, s.readOutboxes, s.readInbox, s.readCustomers, s.readPoison,
	} {
		if err := read(ctx, d); err != nil {
			return s, err
		}
	}
	return s, nil
}

// formatID returns the text form of a UUID.
func formatID(id []byte) string {
	u, err := uuid.FromBytes(id)
	if err != nil {
		return fmt.Sprintf("%x", id)
	}
	return u.String()
}

func (s *observedState) readHistory(ctx context.Context, d *databases) error {
	return d.forEachRow(ctx, "event", `SELECT event_id, type, source, partition_key, COALESCE(sequence, 0), COALESCE(position, 0),
		correlation_id, data FROM history ORDER BY position`, func(scan func(...any) error) error {
		var e historyEvent
		var id, data []byte
		if err := scan(&id, &e.eventType, &e.source, &e.key, &e.sequence, &e.position, &e.correlationID, &data); err != nil {
			return err
		}
		e.id = formatID(id)
		s.history = append(s.history, e)
		return json.Unmarshal(data, &s.history[len(s.history)-1].data)
	})
}

func (s *observedState) readOrders(ctx context.Context, d *databases) error {
	return d.forEachRow(ctx, "order", "SELECT id, user_id, status, version, sequence, total, cancel_reason FROM orders",
		func(scan func(...any) error) error {
			var id, owner []byte
			var r aggregateRow
			err := scan(&id, &owner, &r.status, &r.version, &r.sequence, &r.total, &r.reason)
			r.owner = formatID(owner)
			s.orders[formatID(id)] = r
			return err
		})
}

func (s *observedState) readUsers(ctx context.Context, d *databases) error {
	return d.forEachRow(ctx, "user", "SELECT id, email, version, sequence FROM users", func(scan func(...any) error) error {
		var id []byte
		var email string
		var r aggregateRow
		err := scan(&id, &email, &r.version, &r.sequence)
		s.users[formatID(id)] = r
		if email == cluster.AdminEmail {
			s.adminID = formatID(id)
		}
		return err
	})
}

func (s *observedState) readOutboxes(ctx context.Context, d *databases) error {
	for _, service := range cluster.Services {
		err := d.forEachRow(ctx, service, "SELECT message_id FROM outbox WHERE topic LIKE 'events.%'", func(scan func(...any) error) error {
			var id []byte
			err := scan(&id)
			s.outbox[formatID(id)] = service
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *observedState) readInbox(ctx context.Context, d *databases) error {
	err := d.forEachRow(ctx, "order", "SELECT partition_key, applied FROM inbox WHERE consumer = 'order-customers'",
		func(scan func(...any) error) error {
			var key string
			var n int64
			err := scan(&key, &n)
			s.applied[key] += n
			return err
		})
	if err != nil {
		return err
	}
	for _, service := range cluster.Services {
		n, err := d.count(ctx, service, "SELECT COUNT(*) FROM inbox_left_out")
		if err != nil {
			return err
		}
		s.skippedRuns += n
	}
	return nil
}

func (s *observedState) readCustomers(ctx context.Context, d *databases) error {
	return d.forEachRow(ctx, "order", "SELECT user_id, deleted_at IS NOT NULL FROM customers", func(scan func(...any) error) error {
		var id []byte
		var deleted bool
		err := scan(&id, &deleted)
		s.customers[formatID(id)] = deleted
		return err
	})
}

func (s *observedState) readPoison(ctx context.Context, d *databases) error {
	return d.forEachRow(ctx, "event", "SELECT consumer, type, partition_key, reason FROM poison", func(scan func(...any) error) error {
		var consumer, eventType, key, reason string
		err := scan(&consumer, &eventType, &key, &reason)
		s.poison = append(s.poison, fmt.Sprintf("%s gave up %s of %s: %s", consumer, eventType, key, reason))
		return err
	})
}
