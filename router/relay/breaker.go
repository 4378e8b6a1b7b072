package relay

import (
	"log/slog"
	"time"

	"github.com/millrace/millrace/app/backoff"
	"github.com/millrace/millrace/app/envelope"
)

// Bounds of the pause of a stream that refuses what is published to it: so long it is noticed at the latest that it takes messages again.
const (
	breakerMin  = 100 * time.Millisecond
	breakerMax  = 2 * time.Second
	logInterval = time.Minute // between two lines about a stream that goes on refusing
)

// breaker is the circuit breaker of one stream. A broker may refuse a whole stream: it is full, its disk is, its leader is away, nobody
// answers. Then the pause is the stream's and not each key's, or every new key would be one more publication that is tried in vain.
//
// Behind a pause one row is tried. Each acknowledgement doubles how many may be on their way, so that a stream that takes little is sent
// little.
type breaker struct {
	stream string
	log    *slog.Logger

	refusals     int // since the stream was last seen to take what it is sent; 0: closed
	limit        int // rows that may be on their way, while refusals > 0
	inFlight     int
	until        time.Time // no row is published before
	since        time.Time // the first of the refusals
	cause        error     // of the last one
	lastLogged   time.Time // when the last line about refusals was written
	outageLogged bool      // no line about the end followed it
}

// allows reports whether another row may be published to the stream.
func (b *breaker) allows(now time.Time) bool {
	return b.refusals == 0 || b.inFlight < b.limit && !now.Before(b.until)
}

// failed takes the failure of a publication. Those that were on their way when a pause began are the same failure.
func (b *breaker) failed(err error, now time.Time) {
	if b.refusals == 0 {
		b.since = now
	}
	b.cause = err
	if now.Before(b.until) {
		return
	}
	b.refusals++
	b.limit, b.until = 1, now.Add(backoff.Exponential(breakerMin, breakerMax, b.refusals))
	if b.lastLogged.IsZero() || now.Sub(b.lastLogged) >= logInterval {
		b.lastLogged, b.outageLogged = now, true
		b.log.Warn("broker refuses a stream's messages; its rows wait", "stream", b.stream,
			"for", now.Sub(b.since).Round(time.Millisecond).String(), "error", err)
	}
}

// succeeded takes an acknowledgement. recovered says that it is the first behind a refusal.
func (b *breaker) succeeded(most int, now time.Time) (recovered bool) {
	if b.refusals == 0 {
		return false
	}
	recovered = b.limit == 1
	if recovered && b.outageLogged {
		b.outageLogged = false
		b.log.Info("broker takes a stream's messages again", "stream", b.stream, "after", now.Sub(b.since).Round(time.Millisecond).String())
	}
	calm := now.Sub(b.until) > breakerMax
	b.limit *= 2
	if now.Before(b.until) {
		b.until = now
	}
	if b.limit > most || calm {
		b.refusals, b.limit, b.until, b.cause = 0, 0, time.Time{}, nil
	}
	return recovered
}

// reason is why the stream's rows wait; nil where the last row that was tried was taken.
func (b *breaker) reason() error {
	if b.refusals == 0 || b.limit > 1 {
		return nil
	}
	return b.cause
}

// breakers are those of the streams that a relay publishes to. They last for as long as the relay has the lease.
type breakers map[string]*breaker

func newBreakers(log *slog.Logger) breakers {
	all := breakers{}
	for _, stream := range envelope.Prefixes() {
		all[stream] = &breaker{stream: stream, log: log}
	}
	return all
}

// of returns the breaker of a topic's stream.
func (all breakers) of(topic string) *breaker {
	stream := envelope.Prefix(topic)
	b := all[stream]
	if b == nil {
		b = &breaker{stream: stream, log: slog.New(slog.DiscardHandler)}
		all[stream] = b
	}
	return b
}

// resetInFlight forgets what is on its way: no outcome is awaited any more.
func (all breakers) resetInFlight() {
	for _, b := range all {
		b.inFlight = 0
	}
}
