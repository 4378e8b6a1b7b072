package natsjs

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// hear takes what the broker says about our requests for messages.
func (s *subscription) hear(m *nats.Msg) {
	status, description := m.Header.Get("Status"), m.Header.Get("Description")
	left, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
	switch {
	case status == "100":
		s.mu.Lock()
		s.heard, s.failures = s.now(), 0
		s.mu.Unlock()
	case status == "409" && strings.HasPrefix(description, "Message Size Exceeds") && s.isNarrow():
		// The next message does not fit into the most that the durable lets us ask for. Asking again at once would change nothing.
		s.forget(true)
	case (status == "408" || status == "409") && err == nil:
		// One request is over, with so many messages not delivered.
		s.mu.Lock()
		s.heard = s.now()
		bytes, _ := strconv.Atoi(m.Header.Get("Nats-Pending-Bytes")) // 0 where it says nothing of them
		s.came(left, bytes)
		s.mu.Unlock()
		s.nudge()
	case status == "409" && strings.HasPrefix(description, "Exceeded"):
		// The durable got a limit: the next request keeps to it.
		s.logger.Warn("broker refused a request for messages over a limit of the consumer, asking for less",
			slog.String("description", description))
		s.forget(true)
	case status == "503" || status == "409" || status == "404":
		// Nobody serves the durable: it was deleted, its leader changed, or the server is still reading its files.
		s.logger.Info("broker does not serve the consumer", slog.String("status", status), slog.String("description", description))
		s.forget(true)
	default:
		s.logger.Warn("broker refused a request for messages", slog.String("status", status), slog.String("description", description))
		s.forget(true)
	}
}

// isNarrow reports that the durable lets us ask for fewer bytes than the largest message has.
func (s *subscription) isNarrow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits.bytes > 0 && int64(s.limits.bytes) < s.conn.nc.MaxPayload()+deliveryOverhead
}

// leave tells the broker that this inbox takes no more, and waits until everything that was under way has arrived.
func (s *subscription) leave(ctx context.Context) {
	if !s.conn.Connected() {
		if err := s.inbox.Unsubscribe(); err != nil {
			s.logger.Debug("inbox is gone already", slog.Any("error", err))
		}
		return
	}
	if err := s.inbox.Drain(); err != nil {
		s.logger.Debug("inbox is gone already", slog.Any("error", err))
		return
	}
	patience := time.NewTimer(flushTimeout)
	defer patience.Stop()
	select {
	case <-s.finished:
	case <-patience.C: // the connection stands still; what is under way comes again after the ack wait
	case <-ctx.Done():
	}
}

// receipt answers one delivery. An answer that is lost with the connection means a redelivery, nothing else.
type receipt struct {
	conn    *Conn
	subject string
}

// Ack acknowledges.
func (r receipt) Ack() { r.send("+ACK") }

// Progress resets the ack wait.
func (r receipt) Progress() { r.send("+WPI") }

// Nak puts the message back.
func (r receipt) Nak(delay time.Duration) {
	if delay <= 0 {
		r.send("-NAK")
		return
	}
	r.send(`-NAK {"delay": ` + strconv.FormatInt(delay.Nanoseconds(), 10) + `}`)
}

func (r receipt) send(answer string) {
	if err := r.conn.nc.Publish(r.subject, []byte(answer)); err != nil {
		r.conn.logger.Debug("an answer to the broker was lost", slog.Any("error", err))
	}
}
