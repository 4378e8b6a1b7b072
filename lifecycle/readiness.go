package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/router/relay"
)

// Check is one thing that the readiness of a service depends on.
type Check struct {
	Name     string // "order_database"
	Required bool   // without it the service cannot answer requests; otherwise it is degraded: something behind the requests waits
	// Probe returns nil while the thing works, otherwise a *fault.Error with a message for everybody. It honours ctx.
	Probe func(ctx context.Context) error
}

// Checks returns what the readiness of the service depends on. The database is required. One without room still answers reads, and a broker
// that is away only delays events.
func (s *Service) Checks() []Check {
	checks := []Check{
		{s.cfg.Name + "_database", true, s.checkDatabase},
		{s.cfg.Name + "_writes", false, s.cfg.Database.Writable},
		{s.cfg.Name + "_workers", true, s.checkWorkers},
	}
	if s.cfg.Broker != nil {
		checks = append(checks, Check{s.cfg.Name + "_broker", false, s.checkBroker}, Check{s.cfg.Name + "_streams", false, s.checkStreams})
	}
	return checks
}

var (
	errStarting = fault.New(fault.Unavailable, "starting",
		"The service is starting: it connects to its database and brings the schema up to date.")
	errStartFails = fault.New(fault.Unavailable, "starting",
		"The service is starting: its database could not be prepared yet, and it keeps trying. The log has the reason and advice.")
)

// checkDatabase reports whether the service can answer requests.
func (s *Service) checkDatabase(ctx context.Context) error {
	if s.prepared.Load() {
		return s.cfg.Database.Ping(ctx)
	}
	if cause := s.prepareErr.Load(); cause != nil {
		return errStartFails.Because(*cause)
	}
	return errStarting
}

// checkWorkers reports whether all workers run that should.
func (s *Service) checkWorkers(context.Context) error {
	s.mu.Lock()
	ended := slices.Clone(s.ended)
	s.mu.Unlock()
	if len(ended) == 0 {
		return nil
	}
	return fault.New(fault.Unavailable, "workers_ended", "Workers of the service have ended: "+strings.Join(ended, ", ")+
		". The log has the reason. Restart the process.")
}

const (
	longWait    = 30 * time.Second // how long an event may wait for the broker before readiness says so
	longTrouble = 2 * time.Second  // how long the relay may be kept from publishing before readiness says so
)

// checkBroker reports whether events reach the broker. If they do not, writes go on, and the events wait in the outbox.
func (s *Service) checkBroker(context.Context) error {
	if !s.cfg.Broker.Connected() {
		return fault.New(fault.Unavailable, "broker_away", "The broker cannot be reached. Events wait in the outbox.")
	}
	if s.cfg.Relay == nil {
		return nil
	}
	if t, found := s.cfg.Relay.DegradedReason(); found && time.Since(t.Since) > longTrouble {
		return describeTrouble(t, time.Since(t.Since))
	}
	if waiting := s.cfg.Relay.Waiting(); waiting > longWait {
		return fault.New(fault.Unavailable, "events_wait", "An event has been waiting in the outbox for "+waiting.Round(time.Second).String()+
			". The replica whose millrace_relay_lease is 1 publishes: its readiness and its log say why. If there is none, look at the log of each.")
	}
	return nil
}

// checkStreams reports whether streams and durables are as they must be. Others may have made or changed them.
func (s *Service) checkStreams(context.Context) error {
	found := s.cfg.Broker.Differences()
	if len(found) == 0 {
		return nil
	}
	return fault.New(fault.Unavailable, "streams_differ", "Streams or consumers of the broker are not as they must be, and events may be "+
		"lost or delayed ("+strings.Join(found, "; ")+"). The log says what each field must be and what to do.")
}

// describeTrouble says what keeps events from being published, and where to look.
func describeTrouble(t relay.DegradedReason, lasting time.Duration) error {
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
