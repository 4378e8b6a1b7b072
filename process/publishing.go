package process

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/router"
)

const (
	// longWait is how long an event may wait for the broker before something is wrong.
	longWait = 30 * time.Second
	// longTrouble is how long what keeps the relay from publishing may last before it is told. A moment of it is nobody's business.
	longTrouble = 2 * time.Second
)

// publishing reports whether events reach the broker. If they do not, writes go on all the same, and the events wait in the outbox.
func (s *Service) publishing(context.Context) error {
	if !s.Broker.Connected() {
		return fault.New(fault.Unavailable, "broker_away", "The broker cannot be reached. Events wait in the outbox.")
	}
	if t, found := s.Relay.Trouble(); found && time.Since(t.Since) > longTrouble {
		return explain(t, time.Since(t.Since))
	}
	if waiting := s.Relay.Waiting(); waiting > longWait {
		return fault.New(fault.Unavailable, "events_wait", "An event has been waiting in the outbox for "+waiting.Round(time.Second).String()+
			". The replica whose millrace_relay_lease is 1 publishes: its readiness and its log say why. If there is none, look at the log of each.")
	}
	return nil
}

// asMade reports whether streams and durables are as Millrace needs them. Others may have made or changed them.
func (s *Service) asMade(context.Context) error {
	found := s.Broker.Differences()
	if len(found) == 0 {
		return nil
	}
	return fault.New(fault.Unavailable, "streams_differ", "Streams or consumers of the broker are not as they must be, and events may be lost "+
		"or held up ("+strings.Join(found, "; ")+"). The log says what each field must be and what to do.")
}

// explain says what keeps events from being published, and whose fault it is not.
func explain(t router.Trouble, lasting time.Duration) error {
	since := "for " + lasting.Round(time.Second).String()
	if t.Stream == "" {
		return fault.New(fault.Unavailable, "outbox_fails", "The relay's statements fail at the service's own database, "+since+
			". Events wait in the outbox. Look at the database and the log; the broker is not the cause.").Because(t.Err)
	}
	cause := ""
	if e, ok := errors.AsType[*fault.Error](t.Err); ok {
		cause = e.Message + " "
	}
	return fault.New(fault.Unavailable, "broker_refuses", "The broker takes no messages of the stream "+t.Stream+", "+since+". "+cause+
		"They wait in the outbox and are published as soon as it takes them. Look at the broker's limits, its disk and its log.").Because(t.Err)
}
