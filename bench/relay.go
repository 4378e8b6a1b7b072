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
	"github.com/millrace/millrace/app/outbox"
	"github.com/millrace/millrace/bench/cluster"
	"github.com/millrace/millrace/router/relay"
)

// fillBatch is the number of rows per transaction when an outbox is filled.
const fillBatch = 500

// measureRelay measures how fast Millrace's relay publishes the rows of an outbox to a nats-server. The relay runs in this process. The
// baseline is watermill's forwarder with watermill-sql's subscriber. It gets fewer rows, because it is slower.
func measureRelay(ctx context.Context, h *harness) error {
	h.progress("relay: %d rows", h.rows)
	name := h.uniqueName("relay")
	dir, err := h.makeDir(name)
	if err != nil {
		return err
	}
	broker, err := h.startBroker(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { _ = broker.Stop(15 * time.Second) }() // nats-server exits with 1 after SIGTERM
	rate, err := h.measureMillraceRelay(ctx, broker, name)
	if err != nil {
		return err
	}
	const fraction = 5 // the baseline gets a fifth of the rows
	for _, baseline := range []struct {
		name          string
		batch         int
		dsnParameters string
		hasTarget     bool
	}{
		{"watermill-sql's subscriber and watermill's forwarder with default settings", 0, "?parseTime=true", true},
		{"the same with batches of 1000 and interpolated statements", 1000, "?parseTime=true&interpolateParams=true", false},
	} {
		baselineRate, err := h.measureWatermillRelay(ctx, broker, h.rows/fraction, baseline.batch, baseline.dsnParameters)
		if err != nil {
			return err
		}
		r := result{
			Section: "relay", Name: fmt.Sprintf("publishing %d outbox rows", h.rows), Value: rate, Unit: "/s",
			Notes: map[string]float64{"baseline rows": float64(h.rows / fraction)},
		}.withBaseline(baseline.name, baselineRate)
		if baseline.hasTarget {
			r = r.withTarget("ratio >= 5", r.Ratio >= 5)
		}
		h.add(r)
	}
	return nil
}

// measureMillraceRelay returns how many rows per second Millrace's relay publishes and marks.
func (h *harness) measureMillraceRelay(ctx context.Context, broker *cluster.NATS, name string) (rate float64, err error) {
	db, err := sqldb.Open(sqldb.Config{URL: h.mariadb.URL(benchAccount), Name: name})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Migrate(ctx, ordersql.Migrations); err != nil {
		return 0, err
	}
	outbox := sqldb.NewOutbox(db, sqldb.OutboxConfig{Source: contract.SourceOrder, NewID: uuid.New, Now: time.Now})
	if err := h.fillMillraceOutbox(ctx, db, outbox); err != nil {
		return 0, err
	}
	logger := slog.New(slog.DiscardHandler)
	conn, err := natsjs.Connect(ctx, natsjs.Config{URL: broker.ObserverURL(), Name: "bench", Logger: logger})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.EnsureStreams(ctx, natsjs.Streams{}); err != nil {
		return 0, err
	}
	publisher, err := natsjs.NewPublisher(conn, natsjs.PublisherConfig{Logger: logger})
	if err != nil {
		return 0, err
	}
	defer publisher.Close()
	counter := &countingOutbox{Outbox: outbox, total: int64(h.rows), done: make(chan struct{})}
	relay, err := relay.New(relay.Config{Service: "bench", Outbox: counter, Broker: publisher, Holder: "bench"})
	if err != nil {
		return 0, err
	}
	relayCtx, stop := context.WithCancel(ctx)
	defer stop()
	finished := make(chan error, 1)
	start := time.Now()
	go func() { finished <- relay.Run(relayCtx) }()
	select {
	case <-counter.done:
		rate = float64(h.rows) / time.Since(start).Seconds()
	case <-ctx.Done():
	}
	stop()
	return rate, errors.Join(<-finished, ctx.Err())
}

// fillMillraceOutbox adds h.rows events to an outbox.
func (h *harness) fillMillraceOutbox(ctx context.Context, db *sqldb.DB, outbox *sqldb.Outbox) error {
	var g eventGenerator
	for g.count < h.rows {
		batch := make([]sampleEvent, min(fillBatch, h.rows-g.count))
		for i := range batch {
			var err error
			if batch[i], err = g.next(); err != nil {
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

// countingOutbox closes done when total rows are marked.
type countingOutbox struct {
	*sqldb.Outbox

	marked atomic.Int64
	total  int64
	done   chan struct{}
}

// Mark implements relay.Outbox.
func (o *countingOutbox) Mark(ctx context.Context, epoch int64, rows []outbox.Published) error {
	err := o.Outbox.Mark(ctx, epoch, rows)
	if err == nil && o.marked.Add(int64(len(rows))) == o.total {
		close(o.done)
	}
	return err
}
