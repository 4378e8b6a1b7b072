package sqldb

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/propagation"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/correlation"
	"github.com/millrace/millrace/app/envelope"
)

// Outbox is a service's outbox: what it wants published, stored in the transaction of its cause. It implements relay.Outbox.
type Outbox struct {
	db  *DB
	cfg OutboxConfig
}

// OutboxConfig says whose events these are, and where IDs and times come from.
type OutboxConfig struct {
	Source string // of the events: "/millrace/order"
	NewID  func() uuid.UUID
	Now    func() time.Time
}

// NewOutbox gives the outbox in db.
func NewOutbox(db *DB, cfg OutboxConfig) *Outbox { return &Outbox{db: db, cfg: cfg} }

// Entry is a message to be published as it is.
type Entry struct {
	MessageID uuid.UUID // the broker tells repeats by it; an entry with the ID of an earlier one is an error
	Topic     string
	Key       string // entries of one key are published in order
	Sequence  int64  // of the event, 0 where there is none
	Metadata  map[string]string
	Payload   []byte

	createdAt time.Time
	encoded   []byte // Metadata
}

func (m Entry) size() int {
	n := len(m.Payload)
	for k, v := range m.Metadata {
		n += len(k) + len(v)
	}
	return n
}

// Publish stores e as event number sequence of its aggregate. Correlation and causation come from ctx. The error is
// envelope.ErrTooLarge for an event that the broker could not take.
func (o *Outbox) Publish(ctx context.Context, tx *Tx, sequence int64, e contract.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode %s: %w", e.Type(), err)
	}
	ids := correlation.From(ctx)
	trace := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, trace)
	id := o.cfg.NewID()
	published := envelope.Envelope{
		ID: id.String(), Type: e.Type(), Source: o.cfg.Source, Key: e.Key(), Sequence: sequence,
		Time:          o.cfg.Now().UTC().Truncate(time.Microsecond),
		CorrelationID: ids.Correlation, CausationID: ids.Causation, Traceparent: trace.Get(envelope.MetaTraceparent), Data: data,
	}
	entry := Entry{
		MessageID: id, Topic: envelope.Topic(e.Type()), Key: e.Key(), Sequence: sequence, Metadata: published.Metadata(), Payload: data,
	}
	if entry.size() > envelope.MaxBytes {
		return envelope.ErrTooLarge
	}
	return o.Add(ctx, tx, entry)
}

// maxEntry is what a broker with its default limit of 1 MiB surely takes. It is more than envelope.MaxBytes, because a poison
// message is its event and what is to be said of it.
const maxEntry = 960 << 10

// Add stores m with tx. Metadata that a broker refuses is quoted: the row would wait for ever, and nobody could take it away. The error is
// envelope.ErrTooLarge for a message that the broker could not take.
func (o *Outbox) Add(_ context.Context, tx *Tx, m Entry) error {
	if !envelope.IsTopic(m.Topic) {
		return fmt.Errorf("no stream takes the topic %q", m.Topic) // no relay would ever read the row
	}
	if !isPublishable(m.Metadata) {
		m.Metadata = Publishable(m.Metadata)
	}
	if m.size() > maxEntry {
		return envelope.ErrTooLarge
	}
	var err error
	if m.encoded, err = json.Marshal(m.Metadata); err != nil {
		return fmt.Errorf("encode the metadata of %s: %w", m.MessageID, err)
	}
	m.createdAt = o.cfg.Now()
	tx.outbox = append(tx.outbox, m)
	return nil
}

// Wake implements relay.Outbox.
func (o *Outbox) Wake() <-chan struct{} { return o.db.wake }
