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

// pollingRelay is the baseline of the latency section. It works as most outbox relays do: at a fixed interval it reads the unpublished
// rows, publishes them and marks them.
type pollingRelay struct {
	db *sql.DB
	js jetstream.JetStream
}

const (
	pollInterval = 100 * time.Millisecond
	pollingTopic = "polling.order.placed.v1"
)

// measurePollingLatency stores orders and their events in the database at openLoopRate, and publishes them with a pollingRelay. For each
// it returns the time from when it was due to when the event was received.
func (s *system) measurePollingLatency(ctx context.Context) (latencies []time.Duration, err error) {
	raw, err := s.newRawBaseline(ctx, openLoopWorkers)
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
	listener, err := listenForEvents(s.natsURL, pollingTopic, "correlation_id")
	if err != nil {
		return nil, err
	}
	defer listener.close()
	relayCtx, stop := context.WithCancel(ctx)
	finished := make(chan error, 1)
	go func() { finished <- pollingRelay{raw.db, js}.run(relayCtx) }()
	due, _, err := runOpenLoop(ctx, s.harness.openLoopCount(), func(i int) error {
		rows := raw.rows
		rows.topic = pollingTopic
		metadata, err := json.Marshal(map[string]string{"correlation_id": correlationID(i)})
		if err != nil {
			return err
		}
		rows.metadata = metadata
		return rows.insert(ctx, raw.db)
	})
	if err == nil {
		latencies, err = listener.await(ctx, due)
	}
	stop()
	return latencies, errors.Join(err, <-finished)
}

// run polls until ctx is done.
func (r pollingRelay) run(ctx context.Context) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := r.poll(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// poll publishes the unpublished rows and marks them.
func (r pollingRelay) poll(ctx context.Context) error {
	ids, err := r.publish(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	placeholders := "(?" + strings.Repeat(", ?", len(ids)-1) + ")"
	statement := "UPDATE outbox SET stream_sequence = 1 WHERE id IN " + placeholders + " LIMIT " + strconv.Itoa(len(ids))
	_, err = r.db.ExecContext(ctx, statement, ids...)
	return err
}

// publish publishes the unpublished rows and returns their IDs.
func (r pollingRelay) publish(ctx context.Context) (ids []any, err error) {
	rows, err := r.db.QueryContext(ctx, "SELECT id, topic, metadata, payload FROM outbox WHERE stream_sequence IS NULL ORDER BY id LIMIT 1000")
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
		if _, err := r.js.PublishMsgAsync(m); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	select {
	case <-r.js.PublishAsyncComplete():
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return ids, rows.Err()
}
