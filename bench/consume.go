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
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/bench/cluster"
)

// measureConsumption starts an event service behind a stream that is full, on MariaDB and on SQLite, and looks how fast its history
// grows. Beside it, the same row in a transaction each.
func measureConsumption(ctx context.Context, l *lab) error {
	for _, lite := range []bool{false, true} {
		if err := l.consume(ctx, lite); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) consume(ctx context.Context, lite bool) (err error) {
	what, others := "MariaDB", 16
	if lite {
		what, others = "SQLite", 1
	}
	l.say("consume: %d events, %s", l.rows, what)
	s, err := l.startSplit(ctx, "user")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := l.fillStream(ctx, s.natsURL); err != nil {
		return err
	}
	raw, err := l.recordAlone(ctx, lite, others)
	if err != nil {
		return err
	}
	rate, spent, err := s.recordBacklog(ctx, lite)
	if err != nil {
		return err
	}
	f := figure{
		Section: "consume", What: fmt.Sprintf("recording a backlog of %d events in the history, %s", l.rows, what),
		Value: rate, Unit: "/s", Notes: spent,
	}
	l.add(f.besides(fmt.Sprintf("one commit per event, %d connections", others), raw))
	return nil
}

// fillStream publishes events to the stream.
func (l *lab) fillStream(ctx context.Context, url string) error {
	quiet := slog.New(slog.DiscardHandler)
	conn, err := natsjs.Connect(ctx, natsjs.Config{URL: url, Name: "bench", Logger: quiet})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.EnsureStreams(ctx, natsjs.Streams{}); err != nil {
		return err
	}
	publisher, err := natsjs.NewPublisher(conn, natsjs.PublisherConfig{Logger: quiet})
	if err != nil {
		return err
	}
	defer publisher.Close()
	outcomes := make(chan error, l.rows)
	var s sampler
	for s.made < l.rows {
		e, err := s.next()
		if err != nil {
			return err
		}
		msg := message.NewMessage(e.id.String(), e.payload)
		msg.Metadata = e.metadata
		publisher.PublishAsync(e.topic, msg, func(_ uint64, err error) { outcomes <- err })
	}
	for range l.rows {
		if err := <-outcomes; err != nil {
			return err
		}
	}
	return nil
}

// recordBacklog starts the event service and gives how many events a second it recorded, from the first to the last, and what each
// of them cost.
func (s *system) recordBacklog(ctx context.Context, lite bool) (rate float64, spent map[string]float64, err error) {
	dir := filepath.Join(s.lab.dir, s.prefix, "event")
	env := []string{
		"MILLRACE_BROKER_URL=" + s.nats.URL("event"),
		"MILLRACE_DATA_DIR=" + dir,
		"MILLRACE_JWKS_URL=" + s.of("user").URL + "/.well-known/jwks.json",
	}
	if !lite {
		env = append(env, "MILLRACE_DATABASE_URL="+s.lab.mariadb.URL(serviceAccount)+s.prefix)
	}
	if _, err := s.run(ctx, filepath.Join(s.lab.dir, s.prefix), "event", env...); err != nil {
		return 0, nil, err
	}
	history, err := s.history(lite, dir)
	if err != nil {
		return 0, nil, err
	}
	defer history.Close()
	watch := backlogWatch{system: s, history: history, wanted: int64(s.lab.rows)}
	return watch.run(ctx, lite)
}

func (s *system) history(lite bool, dir string) (*sql.DB, error) {
	if !lite {
		return s.database("event")
	}
	return sql.Open("sqlite", "file:"+filepath.Join(dir, "millrace_event.db")+"?mode=ro&_pragma=busy_timeout(10000)")
}

// backlogWatch looks on while a history grows.
type backlogWatch struct {
	*system

	history *sql.DB
	wanted  int64
}

// glance is how far the history is at one moment, and what was spent until then.
type glance struct {
	at      time.Time
	events  int64
	cpu     map[string]time.Duration
	fsyncs  int64
	commits int64
}

func (w backlogWatch) run(ctx context.Context, lite bool) (rate float64, spent map[string]float64, err error) {
	first, err := w.look(ctx)
	if err != nil {
		return 0, nil, err
	}
	last := first
	for last.events < w.wanted {
		if !cluster.Sleep(ctx, 50*time.Millisecond) {
			return 0, nil, ctx.Err()
		}
		if last, err = w.look(ctx); err != nil {
			return 0, nil, err
		}
		if last.at.Sub(first.at) > 10*time.Minute {
			return 0, nil, fmt.Errorf("the history stands at %d of %d", last.events, w.wanted)
		}
	}
	took, events := last.at.Sub(first.at), float64(last.events-first.events)
	if events == 0 {
		return 0, nil, errors.New("the history was complete before anybody could look: ask for more -rows")
	}
	spent = map[string]float64{}
	for name, used := range last.cpu {
		spent["cores "+name] = float64(used-first.cpu[name]) / float64(took)
	}
	if !lite {
		spent["fsyncs per event"] = float64(last.fsyncs-first.fsyncs) / events
		spent["commits per event"] = float64(last.commits-first.commits) / events
	}
	return events / took.Seconds(), spent, nil
}

func (w backlogWatch) look(ctx context.Context) (g glance, err error) {
	if err := w.history.QueryRowContext(ctx, "SELECT last FROM history_position WHERE id = 1").Scan(&g.events); err != nil {
		return g, err
	}
	g.at = time.Now()
	if g.cpu, err = meter(w.processes()); err != nil {
		return g, err
	}
	server, err := w.lab.open("", 1)
	if err != nil {
		return g, err
	}
	defer server.Close()
	var name string
	err = server.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Innodb_data_fsyncs'").Scan(&name, &g.fsyncs)
	if err != nil {
		return g, err
	}
	return g, server.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Com_commit'").Scan(&name, &g.commits)
}

const insertHistory = `INSERT INTO history (event_id, type, source, partition_key, sequence, time, recorded_at, correlation_id,
	causation_id, metadata, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// recordAlone gives how many rows a second go into a history when each has a transaction of its own.
func (l *lab) recordAlone(ctx context.Context, lite bool, connections int) (float64, error) {
	db, err := l.tables(ctx, lite, connections, eventsql.Migrations)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	t, err := drive(ctx, connections, l.phase, nil, func(context.Context, int) (*worker, error) {
		var s sampler
		e, err := s.next()
		if err != nil {
			return nil, err
		}
		metadata, err := json.Marshal(e.metadata)
		step := func(ctx context.Context) error {
			id, now := uuid.Must(uuid.NewV7()), time.Now().UnixMicro()
			return record(ctx, db, id, now, e, metadata)
		}
		return &worker{step: step, close: func() {}}, err
	})
	return t.rate, err
}

func record(ctx context.Context, db *sql.DB, id uuid.UUID, now int64, e event, metadata []byte) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(ctx, insertHistory, id[:], e.metadata[contract.MetaType], e.metadata[contract.MetaSource], id.String(),
		e.sequence, now, now, e.metadata[contract.MetaCorrelation], "", metadata, e.payload)
	if err != nil {
		return err
	}
	return tx.Commit()
}
