package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/adapters/ordersql"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/bench/cluster"
	"github.com/millrace/millrace/router"
)

// rowsPerFill is how many rows a transaction stores that fills an outbox.
const rowsPerFill = 500

// measureRelay empties a full outbox to a nats-server, in this process: with Millrace's relay, and with watermill-sql's subscriber
// behind watermill's forwarder, which gets fewer rows because it takes its time; both figures are per second.
func measureRelay(ctx context.Context, l *lab) error {
	l.say("relay: %d rows", l.rows)
	name := l.name("relay")
	dir, err := l.folder(name)
	if err != nil {
		return err
	}
	broker, err := l.startBroker(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { _ = broker.Stop(15 * time.Second) }() // it exits with 1, as ever
	ours, err := l.drainOurs(ctx, broker, name)
	if err != nil {
		return err
	}
	const share = 5 // of our rows, theirs get one in so many
	for _, setting := range []struct {
		what  string
		batch int
		dsn   string
		aimed bool
	}{
		{"watermill-sql's subscriber and watermill's forwarder, their defaults", 0, "?parseTime=true", true},
		{"the same with batches of 1000 and interpolated statements", 1000, "?parseTime=true&interpolateParams=true", false},
	} {
		theirs, err := l.drainTheirs(ctx, broker, l.rows/share, setting.batch, setting.dsn)
		if err != nil {
			return err
		}
		f := figure{
			Section: "relay", What: fmt.Sprintf("draining %d rows", l.rows), Value: ours, Unit: "/s",
			Notes: map[string]float64{"rows beside": float64(l.rows / share)},
		}.besides(setting.what, theirs)
		if setting.aimed {
			f = f.aims("ratio >= 5", f.Ratio >= 5)
		}
		l.add(f)
	}
	return nil
}

// drainOurs gives how many rows a second Millrace's relay publishes and marks.
func (l *lab) drainOurs(ctx context.Context, broker *cluster.NATS, name string) (rate float64, err error) {
	db, err := sqldb.Open(sqldb.Config{URL: l.mariadb.URL(benchAccount), Name: name})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Migrate(ctx, ordersql.Migrations); err != nil {
		return 0, err
	}
	outbox := sqldb.NewOutbox(db, sqldb.OutboxConfig{Source: contract.SourceOrder, NewID: uuid.New, Now: time.Now})
	if err := l.fillOurs(ctx, db, outbox); err != nil {
		return 0, err
	}
	quiet := slog.New(slog.DiscardHandler)
	conn, err := natsjs.Connect(ctx, natsjs.Config{URL: broker.ObserverURL(), Name: "bench", Logger: quiet})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.EnsureStreams(ctx, natsjs.Streams{}); err != nil {
		return 0, err
	}
	publisher, err := natsjs.NewPublisher(conn, natsjs.PublisherConfig{Logger: quiet})
	if err != nil {
		return 0, err
	}
	defer publisher.Close()
	counted := &countedOutbox{Outbox: outbox, wanted: int64(l.rows), all: make(chan struct{})}
	relay, err := router.NewRelay(router.RelayConfig{Service: "bench", Outbox: counted, Broker: publisher, Holder: "bench"})
	if err != nil {
		return 0, err
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	begin := time.Now()
	go func() { ended <- relay.Run(working) }()
	select {
	case <-counted.all:
		rate = float64(l.rows) / time.Since(begin).Seconds()
	case <-ctx.Done():
	}
	stop()
	return rate, errors.Join(<-ended, ctx.Err())
}

// fillOurs fills an outbox.
func (l *lab) fillOurs(ctx context.Context, db *sqldb.DB, outbox *sqldb.Outbox) error {
	var s sampler
	for s.made < l.rows {
		batch := make([]event, min(rowsPerFill, l.rows-s.made))
		for i := range batch {
			var err error
			if batch[i], err = s.next(); err != nil {
				return err
			}
		}
		err := db.Atomically(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
			for _, e := range batch {
				err := outbox.Add(ctx, tx, sqldb.Entry{
					MessageID: e.id, Topic: e.topic, Key: e.key, Sequence: e.sequence, Metadata: e.metadata, Payload: e.payload,
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// countedOutbox tells when all rows are marked.
type countedOutbox struct {
	*sqldb.Outbox

	marked atomic.Int64
	wanted int64
	all    chan struct{}
}

// Mark implements router.Outbox.
func (o *countedOutbox) Mark(ctx context.Context, epoch int64, rows []router.Published) error {
	err := o.Outbox.Mark(ctx, epoch, rows)
	if err == nil && o.marked.Add(int64(len(rows))) == o.wanted {
		close(o.all)
	}
	return err
}
