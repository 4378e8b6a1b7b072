package natsjs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
)

var (
	// ErrAway says that the broker is not connected, or was lost while it had the message: it may be stored or not.
	ErrAway = fault.New(fault.Unavailable, "broker_away", "The broker is away.")
	// ErrNoStream says that no stream takes the message's subject at present.
	ErrNoStream = fault.New(fault.Unavailable, "broker_no_stream", "No stream of the broker takes the messages.")
	// ErrRefused says that the stream refused a message that it may take later.
	ErrRefused = fault.New(fault.Unavailable, "broker_refused", "The broker refuses messages.")
	// ErrNoAnswer says that the broker did not acknowledge in time: the message may be stored or not.
	ErrNoAnswer = fault.New(fault.Unavailable, "broker_silent", "The broker did not answer in time.")
	// ErrOtherStream says that a stream took the message that is not Millrace's: no consumer of ours reads it there.
	ErrOtherStream = fault.New(fault.Unavailable, "other_stream",
		"Another stream took the message: take Millrace's subjects away from that stream, and give them to Millrace's own.")
	// ErrClosed says that the publisher was closed before the broker answered.
	ErrClosed = fault.New(fault.Unavailable, "publisher_closed", "The publisher is closed.")
)

// PublisherConfig says how much a publisher may have on its way, and how long it waits.
type PublisherConfig struct {
	// AckTimeout is how long an acknowledgement may take, and how long PublishAsync waits for room. 0: 5 s.
	AckTimeout time.Duration
	// MaxPending bounds the messages on their way to the broker. 0: 4,096.
	MaxPending int
	Logger     *slog.Logger
	Now        func() time.Time // nil: time.Now
}

// Publisher publishes to the streams. It is a Watermill publisher; the relay uses PublishAsync.
type Publisher struct {
	conn    *Conn
	config  PublisherConfig
	flights *flights
	answers *nats.Subscription

	closeOnce sync.Once
	closing   chan struct{}
	watching  sync.WaitGroup
}

// NewPublisher makes a publisher on a connection, which it does not close.
func NewPublisher(conn *Conn, config PublisherConfig) (*Publisher, error) {
	config.AckTimeout = cmp.Or(config.AckTimeout, 5*time.Second)
	config.MaxPending = cmp.Or(config.MaxPending, 4096)
	if config.Now == nil {
		config.Now = time.Now
	}
	p := &Publisher{conn: conn, config: config, closing: make(chan struct{})}
	p.flights = newFlights(conn.nc.NewInbox()+".", config.MaxPending)
	var err error
	if p.answers, err = conn.nc.Subscribe(p.flights.prefix+"*", p.flights.answered); err != nil {
		return nil, fmt.Errorf("listen for acknowledgements: %w", err)
	}
	if err := p.answers.SetPendingLimits(-1, -1); err != nil {
		return nil, fmt.Errorf("listen for acknowledgements: %w", err)
	}
	p.watching.Go(p.watch)
	return p, nil
}

// Connected reports whether the broker can be spoken to now.
func (p *Publisher) Connected() bool { return p.conn.Connected() }

// Publish stores the messages in their order and returns when the broker acknowledged all of them, or with the first error. It
// waits no longer than a message's own context.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	for _, msg := range messages {
		answer := make(chan error, 1)
		p.PublishAsync(topic, msg, func(_ uint64, err error) { answer <- err })
		select {
		case err := <-answer:
			if err != nil {
				return fmt.Errorf("publish on %s: %w", topic, err)
			}
		case <-msg.Context().Done():
			return fmt.Errorf("publish on %s: %w", topic, msg.Context().Err())
		}
	}
	return nil
}

// PublishAsync sends a message and returns; done hears, exactly once and from another goroutine, the sequence under which the
// stream has it, or why that is not known. Nothing is tried again. PublishAsync blocks while MaxPending messages are on their
// way; acknowledgements make room without waiting for any done, so done may itself publish.
func (p *Publisher) PublishAsync(topic string, msg *message.Message, done func(streamSequence uint64, err error)) {
	m, err := marshal(topic, msg)
	if err != nil {
		p.flights.land(done, 0, err)
		return
	}
	stream, err := envelope.StreamOf(topic)
	if err != nil {
		p.flights.land(done, 0, err)
		return
	}
	if err := p.room(msg.Context()); err != nil {
		p.flights.land(done, 0, err)
		return
	}
	token := p.flights.start(flight{done: done, stream: stream, deadline: p.config.Now().Add(p.config.AckTimeout)})
	if !p.conn.Connected() {
		p.flights.fail(token, ErrAway) // looked at after start: a loss that comes later finds the flight
		return
	}
	m.Reply = p.flights.prefix + token
	if err := p.conn.nc.PublishMsg(m); err != nil {
		p.flights.fail(token, classify(err))
	}
}

// room waits for a free place among the messages on their way.
func (p *Publisher) room(ctx context.Context) error {
	select {
	case <-p.closing:
		return ErrClosed
	default:
	}
	select {
	case p.flights.places <- struct{}{}:
		return nil
	default:
	}
	timeout := time.NewTimer(p.config.AckTimeout)
	defer timeout.Stop()
	select {
	case p.flights.places <- struct{}{}:
		return nil
	case <-p.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout.C:
		return ErrNoAnswer.Because(errors.New("too many messages are on their way"))
	}
}

// classify says what an error of the connection means for the message.
func classify(err error) error {
	switch {
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrBadHeaderMsg):
		return ErrUnpublishable.Because(err)
	default:
		return ErrAway.Because(err)
	}
}

// watch fails what the broker can no longer answer: all flights when the connection is lost, and each whose time is over.
func (p *Publisher) watch() {
	turns, stop := p.conn.watch()
	defer stop()
	ticker := time.NewTicker(max(p.config.AckTimeout/10, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case connected := <-turns:
			if !connected {
				p.flights.failAll(ErrAway)
			}
		case <-ticker.C:
			p.flights.expire(p.config.Now(), ErrNoAnswer)
		case <-p.closing:
			return
		}
	}
}

// Close waits a moment for the acknowledgements under way, and for every done. It must not be called from one.
func (p *Publisher) Close() error {
	var err error
	p.closeOnce.Do(func() {
		close(p.closing)
		p.watching.Wait()
		deadline := time.NewTimer(min(p.config.AckTimeout, flushTimeout))
		defer deadline.Stop()
		if p.conn.Connected() {
			select {
			case <-p.flights.empty():
			case <-deadline.C:
			case <-p.conn.closed:
			}
		}
		if open := p.flights.close(ErrClosed); open > 0 {
			p.config.Logger.Warn("publisher closed before the broker answered", slog.Int("messages", open))
		}
		if err = p.answers.Unsubscribe(); errors.Is(err, nats.ErrConnectionClosed) {
			err = nil
		}
		p.flights.settle()
	})
	return err
}
