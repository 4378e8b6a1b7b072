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

const forwarded = "forwarded.order"

// drainTheirs gives how many rows a second Watermill's own outbox publishes: its SQL subscriber, its forwarder, its JetStream
// publisher with duplicates told by message ID, as Millrace has them. batch is how many rows are read at once, 0 for the default.
func (l *lab) drainTheirs(ctx context.Context, broker *cluster.NATS, rows, batch int, dsn string) (rate float64, err error) {
	name := l.name("watermill")
	server, err := l.open("", 1)
	if err != nil {
		return 0, err
	}
	defer server.Close()
	if _, err := server.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return 0, err
	}
	db, err := sql.Open("mysql", l.mariadb.DSN(benchAccount)+name+dsn)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	schema := wmsql.DefaultMySQLSchema{SubscribeBatchSize: batch}
	if err := fillTheirs(db, schema, rows); err != nil {
		return 0, err
	}
	if err := makeStream(ctx, broker.ObserverURL()); err != nil {
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
	counted := &countedPublisher{Publisher: out, wanted: int64(rows), all: make(chan struct{})}
	f, err := forwarder.NewForwarder(in, counted, watermill.NopLogger{}, forwarder.Config{ForwarderTopic: "outbox", CloseTimeout: time.Second})
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	select {
	case <-counted.all:
		rate = float64(rows) / time.Since(begin).Seconds()
	case <-ctx.Done():
	}
	return rate, errors.Join(f.Close(), <-ended, out.Close(), ctx.Err())
}

// fillTheirs fills Watermill's outbox, many rows in an INSERT.
func fillTheirs(db *sql.DB, schema wmsql.SchemaAdapter, rows int) error {
	publisher, err := wmsql.NewPublisher(db, wmsql.PublisherConfig{SchemaAdapter: schema, AutoInitializeSchema: true}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	outbox := forwarder.NewPublisher(publisher, forwarder.PublisherConfig{ForwarderTopic: "outbox"})
	var s sampler
	for s.made < rows {
		batch := make([]*message.Message, min(rowsPerFill, rows-s.made))
		for i := range batch {
			e, err := s.next()
			if err != nil {
				return err
			}
			batch[i] = message.NewMessage(e.id.String(), e.payload)
			batch[i].Metadata = e.metadata
		}
		if err := outbox.Publish(forwarded, batch...); err != nil {
			return err
		}
	}
	return nil
}

// makeStream makes the stream that takes what is forwarded, like Millrace's own.
func makeStream(ctx context.Context, url string) error {
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

// countedPublisher tells when all messages are published.
type countedPublisher struct {
	message.Publisher

	published atomic.Int64
	wanted    int64
	all       chan struct{}
}

// Publish implements message.Publisher.
func (p *countedPublisher) Publish(topic string, messages ...*message.Message) error {
	err := p.Publisher.Publish(topic, messages...)
	if err == nil && p.published.Add(int64(len(messages))) == p.wanted {
		close(p.all)
	}
	return err
}
