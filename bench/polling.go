package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// poller is the relay that most outboxes have: every 100 ms it reads what was not published, publishes, and marks it.
type poller struct {
	db *sql.DB
	js jetstream.JetStream
}

const pollTopic = "polling.order.placed.v1"

// pollingUntilHeard stores orders and their events at the rate of the open loop, straight in the database, and gives how long each
// one's event took to a subscriber outside.
func (s *system) pollingUntilHeard(ctx context.Context) (heard []time.Duration, err error) {
	raw, err := s.newLimit(ctx, openWorkers)
	if err != nil {
		return nil, err
	}
	defer raw.db.Close()
	conn, err := nats.Connect(s.natsURL)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: "POLLING", Subjects: []string{"polling.>"}, Storage: jetstream.FileStorage})
	if err != nil {
		return nil, err
	}
	ear, err := listen(s.natsURL, pollTopic, "correlation_id")
	if err != nil {
		return nil, err
	}
	defer ear.close()
	polling, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- poller{raw.db, js}.run(polling) }()
	due, _, err := open(ctx, s.lab.openCount(), func(i int) error {
		r := raw.rows
		r.topic = pollTopic
		metadata, err := json.Marshal(map[string]string{"correlation_id": mark(i)})
		if err != nil {
			return err
		}
		r.metadata = metadata
		return r.write(ctx, raw.db)
	})
	if err == nil {
		heard, err = ear.await(ctx, due)
	}
	stop()
	return heard, errors.Join(err, <-ended)
}

// run polls until ctx ends.
func (p poller) run(ctx context.Context) error {
	tick := time.NewTicker(pollPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := p.turn(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// turn publishes what waits and marks it.
func (p poller) turn(ctx context.Context) error {
	ids, err := p.publish(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	places := "(?" + strings.Repeat(", ?", len(ids)-1) + ")"
	_, err = p.db.ExecContext(ctx, "UPDATE outbox SET stream_sequence = 1 WHERE id IN "+places+" LIMIT "+strconv.Itoa(len(ids)), ids...)
	return err
}

func (p poller) publish(ctx context.Context) (ids []any, err error) {
	rows, err := p.db.QueryContext(ctx, "SELECT id, topic, metadata, payload FROM outbox WHERE stream_sequence IS NULL ORDER BY id LIMIT 1000")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			id                int64
			topic             string
			metadata, payload []byte
			header            map[string]string
		)
		if err := rows.Scan(&id, &topic, &metadata, &payload); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(metadata, &header); err != nil {
			return nil, err
		}
		m := nats.NewMsg(topic)
		m.Data = payload
		for k, v := range header {
			m.Header.Set(k, v)
		}
		if _, err := p.js.PublishMsgAsync(m); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	select {
	case <-p.js.PublishAsyncComplete():
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return ids, rows.Err()
}
