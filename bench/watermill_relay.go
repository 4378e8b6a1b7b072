package main

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	wmsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/components/forwarder"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace/millrace/bench/cluster"
)

const forwardedTopic = "forwarded.order"

// measureWatermillRelay returns how many rows per second Watermill's own outbox publishes. It consists of the SQL subscriber, the
// forwarder and the JetStream publisher with deduplication by message ID, which Millrace's relay uses too. batch is the number of rows
// that are read at once; 0 selects the default.
func (h *harness) measureWatermillRelay(
	ctx context.Context, broker *cluster.NATS, rows, batch int, dsnParameters string,
) (rate float64, err error) {
	name := h.uniqueName("watermill")
	server, err := h.openMariaDB("", 1)
	if err != nil {
		return 0, err
	}
	defer server.Close()
	if _, err := server.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return 0, err
	}
	db, err := sql.Open("mysql", h.mariadb.DSN(benchAccount)+name+dsnParameters)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	schema := wmsql.DefaultMySQLSchema{SubscribeBatchSize: batch}
	if err := fillWatermillOutbox(db, schema, rows); err != nil {
		return 0, err
	}
	if err := createForwardedStream(ctx, broker.ObserverURL()); err != nil {
		return 0, err
	}
	in, err := wmsql.NewSubscriber(db, wmsql.SubscriberConfig{
		ConsumerGroup: "bench", SchemaAdapter: schema, OffsetsAdapter: wmsql.DefaultMySQLOffsetsAdapter{}, InitializeSchema: true,
	}, watermill.NopLogger{})
	if err != nil {
		return 0, err
	}
	out, err := wmnats.NewPublisher(wmnats.PublisherConfig{
		URL: broker.ObserverURL(), Marshaler: &wmnats.NATSMarshaler{}, JetStream: wmnats.JetStreamConfig{TrackMsgId: true},
	}, watermill.NopLogger{})
	if err != nil {
		return 0, err
	}
	counter := &countingPublisher{Publisher: out, total: int64(rows), done: make(chan struct{})}
	f, err := forwarder.NewForwarder(in, counter, watermill.NopLogger{}, forwarder.Config{ForwarderTopic: "outbox", CloseTimeout: time.Second})
	if err != nil {
		return 0, err
	}
	start := time.Now()
	finished := make(chan error, 1)
	go func() { finished <- f.Run(ctx) }()
	select {
	case <-counter.done:
		rate = float64(rows) / time.Since(start).Seconds()
	case <-ctx.Done():
	}
	return rate, errors.Join(f.Close(), <-finished, out.Close(), ctx.Err())
}

// fillWatermillOutbox fills Watermill's outbox with multi-row INSERTs.
func fillWatermillOutbox(db *sql.DB, schema wmsql.SchemaAdapter, rows int) error {
	publisher, err := wmsql.NewPublisher(db, wmsql.PublisherConfig{SchemaAdapter: schema, AutoInitializeSchema: true}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	outbox := forwarder.NewPublisher(publisher, forwarder.PublisherConfig{ForwarderTopic: "outbox"})
	var g eventGenerator
	for g.count < rows {
		batch := make([]*message.Message, min(fillBatch, rows-g.count))
		for i := range batch {
			e, err := g.next()
			if err != nil {
				return err
			}
			batch[i] = message.NewMessage(e.id.String(), e.payload)
			batch[i].Metadata = e.metadata
		}
		if err := outbox.Publish(forwardedTopic, batch...); err != nil {
			return err
		}
	}
	return nil
}

// createForwardedStream creates the stream for the forwarded messages, with the settings of Millrace's own.
func createForwardedStream(ctx context.Context, url string) error {
	conn, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	_, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: "FORWARDED", Subjects: []string{"forwarded.>"}, Storage: jetstream.FileStorage, Duplicates: 2 * time.Minute,
	})
	return err
}

// countingPublisher closes done when total messages are published.
type countingPublisher struct {
	message.Publisher

	published atomic.Int64
	total     int64
	done      chan struct{}
}

// Publish implements message.Publisher.
func (p *countingPublisher) Publish(topic string, messages ...*message.Message) error {
	err := p.Publisher.Publish(topic, messages...)
	if err == nil && p.published.Add(int64(len(messages))) == p.total {
		close(p.done)
	}
	return err
}
