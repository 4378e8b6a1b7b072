package natsjs

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/millrace/millrace/adapters/dispatch"
	"github.com/millrace/millrace/app/delivery"
	"github.com/millrace/millrace/app/envelope"
)

const (
	pullExpires   = 15 * time.Second
	pullHeartbeat = 3 * time.Second
	pullSilence   = 2*pullHeartbeat + time.Second // without any word for so long, our requests are taken for lost
	shortestPause = 50 * time.Millisecond         // after a request that the broker could not serve
	longestPause  = 2 * time.Second
	flushTimeout  = 2 * time.Second
)

// subscription asks a durable for as many messages as there is room for. It speaks JetStream's pull protocol itself: nats.go's
// own loops count a message as done when it is handed over, so that what waits would be unbounded, or without heartbeats.
type subscription struct {
	conn       *Conn
	spec       ConsumerSpec
	stream     string
	config     SubscriberConfig
	deliveries *dispatch.Subscription
	logger     *slog.Logger
	now        func() time.Time

	inbox    *nats.Subscription
	finished chan struct{} // closed when the inbox is
	wake     chan struct{}

	mu        sync.Mutex
	requested int       // asked for and not delivered yet
	promised  int       // bytes that may still come for it
	heard     time.Time // when the broker last said anything
	isBroken  bool      // the broker could not serve a request: look at the durable before asking again
	notBefore time.Time // the time to do so
	failures  int       // in a row
	limits    limits    // of the durable
}

// limits are what one request may ask of the durable; what is 0 is not limited.
type limits struct {
	batch   int
	bytes   int
	expires time.Duration
}

func newSubscription(ctx context.Context, s *Subscriber, stream string, spec ConsumerSpec) *subscription {
	sub := &subscription{
		conn: s.conn, spec: spec, stream: stream, config: s.config, now: s.config.Now,
		logger:   s.config.Logger.With(slog.String("consumer", spec.Name), slog.String("stream", stream)),
		finished: make(chan struct{}),
		wake:     make(chan struct{}, 1),
		isBroken: true, // the durable may be missing
	}
	sub.deliveries = s.dispatcher.Subscribe(ctx, dispatch.SubscriptionConfig{
		Heartbeat:     s.config.AckWait / 3,
		HandlingLimit: s.config.HandlingLimit,
		OnDone:        sub.nudge,
		Now:           s.config.Now,
	})
	return sub
}

// listen opens the inbox that deliveries arrive in.
func (s *subscription) listen() error {
	inbox, err := s.conn.nc.Subscribe(s.conn.nc.NewInbox(), s.receive)
	if err != nil {
		return fmt.Errorf("listen for messages: %w", err)
	}
	inbox.SetClosedHandler(func(string) { close(s.finished) })
	s.inbox = inbox
	return inbox.SetPendingLimits(-1, -1) // bounded by what is asked for; the client's limit would drop
}

// nudge makes the loop look again.
func (s *subscription) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run asks for messages until ctx ends, and then closes the subscription.
func (s *subscription) run(ctx context.Context) {
	turns, stop := s.conn.watch()
	defer stop()
	silence := time.NewTicker(pullHeartbeat)
	defer silence.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		if s.conn.Connected() {
			if pause := s.mend(ctx); pause > 0 {
				retry.Reset(pause)
			} else {
				s.pull()
			}
		}
		select {
		case <-s.wake:
		case <-retry.C:
		case connected := <-turns:
			if connected {
				s.forget(false) // the server has forgotten our requests with the connection
			}
		case <-silence.C:
			s.listenForSilence()
		case <-ctx.Done():
			s.close(ctx)
			return
		}
	}
}

// mend looks after the durable when a request could not be served. It gives how long to wait before the next try, zero where
// messages can be asked for.
func (s *subscription) mend(ctx context.Context) time.Duration {
	s.mu.Lock()
	isBroken, pause := s.isBroken, s.notBefore.Sub(s.now())
	s.mu.Unlock()
	if !isBroken || pause > 0 {
		return pause
	}
	allowed, err := s.ensure(ctx)
	if err == nil {
		s.mu.Lock()
		s.isBroken, s.limits = false, allowed
		s.mu.Unlock()
		return 0
	}
	if ctx.Err() == nil {
		s.logger.WarnContext(ctx, "consumer is not available, trying again", slog.Any("error", err))
	}
	return s.forget(true)
}

// ensure makes the durable if it is missing, and returns what may be asked of it.
func (s *subscription) ensure(ctx context.Context) (limits, error) {
	_, want, err := s.spec.resolve()
	if err != nil {
		return limits{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	have, err := s.conn.ensureMissing(ctx, s.stream, want)
	return limits{batch: have.MaxRequestBatch, bytes: have.MaxRequestMaxBytes, expires: have.MaxRequestExpires}, err
}

// pull asks for as many messages as there is room for, once that is worth a request. A durable that would lose what it delivers is not
// asked: the messages stay in their stream until it was corrected.
func (s *subscription) pull() {
	if s.conn.isUnfit(s.stream, s.spec.Name) {
		return
	}
	active, held := s.deliveries.Counts()
	s.mu.Lock()
	defer s.mu.Unlock()
	room := min(s.config.InFlight-active, s.config.InFlight+s.config.Ahead-held) - s.requested
	if room <= 0 || (s.requested > 0 && room < (s.config.InFlight+3)/4) {
		return
	}
	space := s.space()
	if space <= 0 {
		return
	}
	expires := pullExpires
	if s.limits.expires > 0 {
		expires = min(expires, s.limits.expires)
	}
	if s.limits.batch > 0 {
		room = min(room, s.limits.batch)
	}
	if s.limits.bytes > 0 {
		space = min(space, s.limits.bytes)
	}
	request, err := json.Marshal(map[string]int64{
		"batch": int64(room), "max_bytes": int64(space), "expires": int64(expires), "idle_heartbeat": int64(min(pullHeartbeat, expires/3)),
	})
	if err == nil {
		err = s.conn.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+s.stream+"."+s.spec.Name, s.inbox.Subject, request)
	}
	if err != nil {
		s.logger.Debug("broker cannot be asked for messages", slog.Any("error", err))
		return // the connection is away; its return wakes the loop
	}
	if s.requested == 0 {
		s.heard = s.now()
	}
	s.requested += room
	s.promised += space
}

// deliveryOverhead is what the broker counts beside headers and payload: the subjects of a delivery.
const deliveryOverhead = 4 << 10

// space is how many bytes one request may bring: a part of what may be held, so that others can be under way beside it. Nothing, where
// the largest message would not fit: such a request comes back at once.
func (s *subscription) space() int {
	largest := int(s.conn.nc.MaxPayload()) + deliveryOverhead
	most := max(s.config.Bytes, 2*largest)
	space := most - s.deliveries.HeldBytes() - s.promised
	if space < largest {
		return 0
	}
	return min(space, max(most/4, largest))
}

// came takes deliveries off what was asked for.
func (s *subscription) came(messages, bytes int) {
	s.requested, s.promised = max(0, s.requested-messages), max(0, s.promised-bytes)
	if s.requested == 0 {
		s.promised = 0
	}
}

// forget drops what was asked for, because the broker will not answer it any more. Where it could not serve a request, the next
// one waits, longer each time until something arrives again.
func (s *subscription) forget(broken bool) (pause time.Duration) {
	s.mu.Lock()
	s.requested, s.promised = 0, 0
	if broken {
		s.isBroken = true
		pause = min(longestPause, shortestPause<<min(s.failures, 10))
		s.failures++
		s.notBefore = s.now().Add(pause)
	}
	s.mu.Unlock()
	s.nudge()
	return pause
}

// listenForSilence takes requests for lost that nothing was heard of for too long, not even a heartbeat.
func (s *subscription) listenForSilence() {
	s.mu.Lock()
	silent := s.requested > 0 && s.now().Sub(s.heard) > pullSilence
	s.mu.Unlock()
	if silent && s.conn.Connected() {
		s.logger.Warn("broker is silent, asking again")
		s.forget(true)
	}
}

// receive takes what arrives in the inbox: deliveries, and what the broker says about our requests.
func (s *subscription) receive(m *nats.Msg) {
	if m.Reply == "" {
		s.hear(m)
		return
	}
	place, err := m.Metadata()
	if err != nil {
		s.logger.Warn("broker delivered something without a place", slog.Any("error", err))
		return
	}
	s.mu.Lock()
	s.heard, s.failures = s.now(), 0
	s.came(1, m.Size())
	empty := s.requested == 0
	s.mu.Unlock()
	msg := unmarshal(m, place)
	s.deliveries.Enqueue(&dispatch.Item{
		Key:     envelope.Key(msg.UUID, msg.Metadata),
		Message: msg,
		Delivery: &delivery.Delivery{
			Consumer:       s.spec.Name,
			Subject:        m.Subject,
			StreamSequence: place.Sequence.Stream,
			Count:          int(place.NumDelivered),
		},
		Acknowledger: receipt{conn: s.conn, subject: m.Reply},
		Size:         m.Size(),
	})
	if empty {
		s.nudge()
	}
}

// close gives back what no handler got, waits for the rest and lets the broker hear the answers.
func (s *subscription) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.CloseTimeout) // ctx is over: that is why we close
	defer cancel()
	s.leave(ctx)
	s.deliveries.Close(ctx)
	if s.conn.Connected() {
		if err := s.conn.nc.FlushTimeout(flushTimeout); err != nil {
			s.logger.Warn("last acknowledgements may be lost and their messages come again", slog.Any("error", err))
		}
	}
}
