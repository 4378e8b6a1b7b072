package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/eventsql"
	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/bench/cluster"
)

// measureConsumption fills a stream, starts an event service and measures how fast it records the events in its history, on MariaDB and
// on SQLite. The baseline inserts the same rows, each in its own transaction.
func measureConsumption(ctx context.Context, h *harness) error {
	for _, sqlite := range []bool{false, true} {
		if err := h.compareConsumption(ctx, sqlite); err != nil {
			return err
		}
	}
	return nil
}

func (h *harness) compareConsumption(ctx context.Context, sqlite bool) (err error) {
	database, connections := "MariaDB", 16
	if sqlite {
		database, connections = "SQLite", 1
	}
	h.progress("consume: %d events, %s", h.rows, database)
	s, err := h.startSplit(ctx, "user")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := h.fillStream(ctx, s.natsURL); err != nil {
		return err
	}
	baseline, err := h.measureHistoryInserts(ctx, sqlite, connections)
	if err != nil {
		return err
	}
	rate, notes, err := s.consumeBacklog(ctx, sqlite)
	if err != nil {
		return err
	}
	r := result{
		Section: "consume", Name: fmt.Sprintf("recording a backlog of %d events in the history, %s", h.rows, database),
		Value: rate, Unit: "/s", Notes: notes,
	}
	h.add(r.withBaseline(fmt.Sprintf("one commit per event, %d connections", connections), baseline))
	return nil
}

// fillStream publishes h.rows events to the stream.
func (h *harness) fillStream(ctx context.Context, url string) error {
	logger := slog.New(slog.DiscardHandler)
	conn, err := natsjs.Connect(ctx, natsjs.Config{URL: url, Name: "bench", Logger: logger})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.EnsureStreams(ctx, natsjs.Streams{}); err != nil {
		return err
	}
	publisher, err := natsjs.NewPublisher(conn, natsjs.PublisherConfig{Logger: logger})
	if err != nil {
		return err
	}
	defer publisher.Close()
	acknowledgements := make(chan error, h.rows)
	var g eventGenerator
	for g.count < h.rows {
		e, err := g.next()
		if err != nil {
			return err
		}
		msg := message.NewMessage(e.id.String(), e.payload)
		msg.Metadata = e.metadata
		publisher.PublishAsync(e.topic, msg, func(_ uint64, err error) { acknowledgements <- err })
	}
	for range h.rows {
		if err := <-acknowledgements; err != nil {
			return err
		}
	}
	return nil
}

// consumeBacklog starts the event service. It returns how many events per second the service recorded, from the first to the last, and
// the resources that it used.
func (s *system) consumeBacklog(ctx context.Context, sqlite bool) (rate float64, notes map[string]float64, err error) {
	dir := filepath.Join(s.harness.dir, s.prefix, "event")
	env := []string{
		"MILLRACE_BROKER_URL=" + s.nats.URL("event"),
		"MILLRACE_DATA_DIR=" + dir,
		"MILLRACE_JWKS_URL=" + s.replicaOf("user").URL + "/.well-known/jwks.json",
	}
	if !sqlite {
		env = append(env, "MILLRACE_DATABASE_URL="+s.harness.mariadb.URL(serviceAccount)+s.prefix)
	}
	if _, err := s.startReplica(ctx, filepath.Join(s.harness.dir, s.prefix), "event", env...); err != nil {
		return 0, nil, err
	}
	history, err := s.openHistory(sqlite, dir)
	if err != nil {
		return 0, nil, err
	}
	defer history.Close()
	m := backlogMonitor{system: s, history: history, total: int64(s.harness.rows)}
	return m.run(ctx, sqlite)
}

func (s *system) openHistory(sqlite bool, dir string) (*sql.DB, error) {
	if !sqlite {
		return s.openDatabase("event")
	}
	return sql.Open("sqlite", "file:"+filepath.Join(dir, "millrace_event.db")+"?mode=ro&_pragma=busy_timeout(10000)")
}

// backlogMonitor samples the length of a history until it has total events.
type backlogMonitor struct {
	*system

	history *sql.DB
	total   int64
}

// backlogSample is the length of the history at one time, and the resources that were used until then.
type backlogSample struct {
	at      time.Time
	events  int64
	cpu     map[string]time.Duration
	fsyncs  int64
	commits int64
}

// run returns the rate and the resource usage between the first and the last sample.
func (m backlogMonitor) run(ctx context.Context, sqlite bool) (rate float64, notes map[string]float64, err error) {
	first, err := m.sample(ctx)
	if err != nil {
		return 0, nil, err
	}
	last := first
	for last.events < m.total {
		if !cluster.Sleep(ctx, 50*time.Millisecond) {
			return 0, nil, ctx.Err()
		}
		if last, err = m.sample(ctx); err != nil {
			return 0, nil, err
		}
		if last.at.Sub(first.at) > 10*time.Minute {
			return 0, nil, fmt.Errorf("the history has only %d of %d events after 10 minutes", last.events, m.total)
		}
	}
	elapsed, events := last.at.Sub(first.at), float64(last.events-first.events)
	if events == 0 {
		return 0, nil, errors.New("the history was complete at the first sample: increase -rows")
	}
	notes = map[string]float64{}
	for name, used := range last.cpu {
		notes["cores "+name] = float64(used-first.cpu[name]) / float64(elapsed)
	}
	if !sqlite {
		notes["fsyncs per event"] = float64(last.fsyncs-first.fsyncs) / events
		notes["commits per event"] = float64(last.commits-first.commits) / events
	}
	return events / elapsed.Seconds(), notes, nil
}

func (m backlogMonitor) sample(ctx context.Context) (s backlogSample, err error) {
	if err := m.history.QueryRowContext(ctx, "SELECT last FROM history_position WHERE id = 1").Scan(&s.events); err != nil {
		return s, err
	}
	s.at = time.Now()
	if s.cpu, err = cpuTimes(m.processes()); err != nil {
		return s, err
	}
	server, err := m.harness.openMariaDB("", 1)
	if err != nil {
		return s, err
	}
	defer server.Close()
	var name string
	err = server.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Innodb_data_fsyncs'").Scan(&name, &s.fsyncs)
	if err != nil {
		return s, err
	}
	return s, server.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Com_commit'").Scan(&name, &s.commits)
}

const insertHistory = `INSERT INTO history (event_id, type, source, partition_key, sequence, time, recorded_at, correlation_id,
	causation_id, metadata, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// measureHistoryInserts returns how many history rows per second the database stores if each has its own transaction.
func (h *harness) measureHistoryInserts(ctx context.Context, sqlite bool, connections int) (float64, error) {
	db, err := h.createTables(ctx, sqlite, connections, eventsql.Migrations)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	load, err := runWorkers(ctx, connections, h.phase, nil, func(context.Context, int) (*worker, error) {
		var g eventGenerator
		e, err := g.next()
		if err != nil {
			return nil, err
		}
		metadata, err := json.Marshal(e.metadata)
		step := func(ctx context.Context) error { return insertEvent(ctx, db, e, metadata) }
		return &worker{step: step, close: func() {}}, err
	})
	return load.rate, err
}

// insertEvent inserts a copy of e with a new event ID and key.
func insertEvent(ctx context.Context, db *sql.DB, e sampleEvent, metadata []byte) error {
	id, now := uuid.Must(uuid.NewV7()), time.Now().UnixMicro()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(ctx, insertHistory, id[:], e.metadata[envelope.MetaType], e.metadata[envelope.MetaSource], id.String(),
		e.sequence, now, now, e.metadata[envelope.MetaCorrelation], "", metadata, e.payload)
	if err != nil {
		return err
	}
	return tx.Commit()
}
