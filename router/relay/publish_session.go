package relay

import (
	"context"
	"maps"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/outbox"
)

// publishSession publishes for one lease holder over one connection. Its state is dropped at its end, except for the keys that keep
// failing. Before the next session begins, no outcome is awaited any more, all acknowledgements are stored, and the tail is reconciled.
type publishSession struct {
	*Relay

	lease    *leaseTerm
	started  time.Time
	tracker  *inFlightTracker
	losses   *lossDetector
	outcomes *unboundedQueue[result]
	acks     *ackWriter
	reader   *pageReader

	page          *page     // in work
	nextRow       int       // of the first row in it that was not looked at
	lastPage      bool      // it is the last one of its pass
	scanning      bool      // a pass is on its way
	scanStarted   time.Time // when the last pass began
	published     int       // rows that it published
	scanDue       bool      // a pass is wanted
	pausesChecked time.Time // when the pauses of failing keys were looked at
	failures      failureLog
}

// result is the outcome of one publication.
type result struct {
	id             int64
	correlationID  string
	streamSequence uint64
	err            error
}

func newPublishSession(
	r *Relay, t *leaseTerm, known map[string]*failingKey, breakers breakers, held map[string]outbox.Published,
) *publishSession {
	began := r.cfg.Now()
	w := newInFlightTracker(r.cfg.MaxInFlight, known)
	w.breakers = breakers
	breakers.resetInFlight()
	return &publishSession{
		Relay: r, lease: t, started: began, tracker: w, losses: newLossDetector(r.cfg.Broker, held, began),
		outcomes: newUnboundedQueue[result](), acks: newAckWriter(r, t), reader: newPageReader(r), scanDue: true,
	}
}

// run publishes until stop ends, the lease term does, the connection is or may have been lost, or a stream lost its tail. It returns when
// outcomes and marks are settled, as far as the lease term allows.
func (s *publishSession) run(stop, work context.Context) {
	work, cancel := context.WithCancel(work)
	reading := s.reader.start(work)
	marking := s.acks.start(work)
	s.publishAll(stop, work)
	s.awaitOutcomes(stop)
	s.acks.finish()
	s.awaitAcksStored(stop, marking)
	cancel()
	<-reading
	<-marking
}

// publishAll is the loop: outcomes free the window, pages fill it.
func (s *publishSession) publishAll(stop, work context.Context) {
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for s.lease.valid() && stop.Err() == nil && s.cfg.Broker.Connected() && !s.connectionSuspect() && !s.losses.lost {
		s.fillInFlight()
		s.losses.check(work, s.cfg.Now(), s.cfg.MaintenanceInterval)
		alarm.Reset(s.nextWakeup())
		pages := s.reader.pages
		if s.page != nil {
			pages = nil // one after the other
		}
		select {
		case <-stop.Done():
		case <-s.lease.expired:
		case <-alarm.C:
		case <-s.cfg.Outbox.Wake():
			s.scanDue = true
		case <-s.outcomes.ready:
			s.handleOutcomes(true)
		case doubts := <-s.losses.results:
			s.losses.handleResults(doubts)
		case <-s.acks.stored.ready:
			s.removeStored()
		case p := <-pages:
			s.usePage(p)
		}
	}
}

// connectionSuspect reports that publications failed although the connection seems to stand: it may have been lost and found unseen.
func (s *publishSession) connectionSuspect() bool {
	return s.failures.connectionSuspect && s.cfg.Now().Sub(s.started) > minSessionDuration
}

// minSessionDuration is how long a publish session lasts at least although publications fail: rows that the broker refuses fail for ever.
const minSessionDuration = 5 * time.Second

// nextWakeup is how long there is nothing to do unless something happens.
func (s *publishSession) nextWakeup() time.Duration {
	if s.scanning || s.tracker.full() {
		return checkInterval
	}
	next := s.scanStarted.Add(s.cfg.PollInterval)
	if s.scanDue || s.tracker.rescan {
		next = s.scanStarted.Add(s.minScanInterval())
	}
	return min(max(next.Sub(s.cfg.Now()), 0), checkInterval)
}

// fillInFlight takes rows of the page in work while the window has room, and begins a pass where one is due.
func (s *publishSession) fillInFlight() {
	for s.page != nil {
		for s.nextRow < len(s.page.rows) {
			if s.tracker.full() || !s.canPublish() {
				return
			}
			p := s.page.rows[s.nextRow]
			s.nextRow++
			if s.tracker.admit(p, s.page.after == 0, s.cfg.Now()) {
				s.published++
				s.publish(p)
			}
		}
		s.page = nil
		s.tracker.endRead()
		s.scanning = !s.lastPage
		s.metrics.held.Set(float64(s.tracker.failingCount()))
	}
	now := s.cfg.Now()
	if now.Sub(s.pausesChecked) >= checkInterval {
		s.pausesChecked = now
		s.tracker.checkPauses(now)
	}
	due := s.scanDue || s.tracker.rescan || now.Sub(s.scanStarted) >= s.cfg.PollInterval
	if s.scanning || !due || now.Sub(s.scanStarted) < s.minScanInterval() || s.tracker.full() {
		return
	}
	s.tracker.startScan(now)
	s.scanning, s.scanDue, s.scanStarted, s.published = true, false, now, 0
	s.requestPage(0)
}

// maxScanInterval is the greatest distance between two passes while rows keep coming.
const maxScanInterval = 25 * time.Millisecond

// minScanInterval returns the least time between the starts of two scans: a millisecond for each row that the last one admitted. A single
// row is published at once; under load, one read serves many rows, and rows whose acknowledgements are being stored are not read again.
func (s *publishSession) minScanInterval() time.Duration {
	return max(s.cfg.MinScanInterval, min(time.Duration(s.published)*time.Millisecond, maxScanInterval))
}

func (s *publishSession) requestPage(after int64) {
	s.tracker.beginRead()
	s.reader.requests <- pageRequest{streams: s.tracker.streams(), after: after}
}

// usePage puts a page into work. The one behind it is read meanwhile.
func (s *publishSession) usePage(p *page) {
	s.page, s.nextRow = p, 0
	s.lastPage = p.err != nil || !p.more || s.tracker.scanLimitReached()
	if p.err != nil {
		s.reader.failed(p.err)
		return
	}
	s.reader.recovered()
	if !s.lastPage {
		s.requestPage(p.rows[len(p.rows)-1].ID)
	}
}

// canPublish reports whether the relay may publish at this moment.
func (s *publishSession) canPublish() bool { return s.lease.valid() && s.cfg.Broker.Connected() }

// publish sends a row that the window gave, or gives it back where that is not allowed any more.
func (s *publishSession) publish(p outbox.Pending) {
	if !s.canPublish() {
		s.tracker.failed(p.ID, s.cfg.Now())
		return
	}
	msg, err := toMessage(p)
	if err != nil {
		s.outcomes.put(result{id: p.ID, err: err})
		return
	}
	correlationID := msg.Metadata.Get(envelope.MetaCorrelation) // before the broker has the message
	s.cfg.Broker.PublishAsync(p.Topic, msg, func(streamSequence uint64, err error) {
		s.outcomes.put(result{id: p.ID, correlationID: correlationID, streamSequence: streamSequence, err: err})
	})
}

// toMessage is the message of a row: it has the event's ID, and names the one by which the broker tells repeats where that is another.
func toMessage(p outbox.Pending) (*message.Message, error) {
	metadata, err := p.Metadata()
	if err != nil {
		return nil, err
	}
	id := metadata[envelope.MetaID]
	if id == "" {
		id = p.MessageID
	}
	msg := message.NewMessage(id, p.Payload)
	maps.Copy(msg.Metadata, metadata)
	if id != p.MessageID {
		msg.Metadata.Set(envelope.MetaDeduplicationID, p.MessageID)
	}
	return msg, nil
}

// handleOutcomes gives the window what came back; where goOn, what follows acknowledged rows is published.
func (s *publishSession) handleOutcomes(goOn bool) {
	now := s.cfg.Now()
	var acked []ackedRow
	for _, o := range s.outcomes.take(0) {
		if o.err != nil {
			s.handleFailure(o, now)
			continue
		}
		p, next, ok := s.tracker.acked(o.id, o.streamSequence, now)
		if !ok {
			continue
		}
		s.metrics.published.Inc()
		s.losses.acked(p)
		acked = append(acked, ackedRow{p, o.correlationID})
		if next != nil && goOn {
			s.publish(*next)
		} else if next != nil {
			s.tracker.failed(next.ID, now)
		}
	}
	if len(acked) > 0 {
		s.acks.acked.put(acked...)
	}
	s.reportRefusals()
}

// handleFailure takes a publication that failed. What makes the broker or its stream unavailable holds for the rows of other keys as well.
func (s *publishSession) handleFailure(o result, now time.Time) {
	s.metrics.failed.Inc()
	if fault.KindOf(o.err) == fault.Unavailable {
		s.failures.connectionSuspect = true
		s.tracker.refused(o.id, o.err, now)
		return
	}
	s.failures.add(s.log, o.err, now)
	s.tracker.failed(o.id, now)
}

// reportRefusals tells readiness and metrics which streams refuse messages.
func (s *publishSession) reportRefusals() {
	for stream, b := range s.tracker.breakers {
		s.metrics.setRefused(stream, b.reason() != nil)
		s.degraded.set(stream, DegradedReason{Stream: stream, Since: b.since, Err: b.reason()})
	}
}

func (s *publishSession) removeStored() {
	if ids := s.acks.stored.take(0); len(ids) > 0 {
		s.tracker.stored(ids)
	}
}

// outcomeOverdue is how long an outcome may take before the wait for it is worth a line: the broker's adapter answers within half of it.
const outcomeOverdue = 10 * time.Second

// awaitOutcomes waits for the outcomes that are still to come, all of them: a row without one is not published again. Once stop ended it
// waits for a moment only, and for nothing from a broker that is away.
func (s *publishSession) awaitOutcomes(stop context.Context) {
	var deadline time.Time
	began, said := s.cfg.Now(), false
	for s.lease.valid() {
		s.handleOutcomes(false)
		if s.tracker.outstanding() == 0 {
			return
		}
		if !said && s.cfg.Now().Sub(began) > outcomeOverdue {
			said = true
			s.log.Warn("relay waits for outcomes that are overdue", "rows", s.tracker.outstanding())
		}
		if stop.Err() != nil {
			now := s.cfg.Now()
			if deadline.IsZero() {
				deadline = now.Add(s.cfg.DrainTimeout)
			}
			if !now.Before(deadline) || !s.cfg.Broker.Connected() {
				return
			}
		}
		timer := time.NewTimer(checkInterval)
		select {
		case <-s.outcomes.ready:
		case <-s.lease.expired:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// awaitAcksStored waits until the marks are stored, or the lease term is over; once stop ended, not for long.
func (s *publishSession) awaitAcksStored(stop context.Context, marking <-chan struct{}) {
	select {
	case <-marking:
		return
	case <-s.lease.expired:
		return
	case <-stop.Done():
	}
	timer := time.NewTimer(s.cfg.DrainTimeout)
	defer timer.Stop()
	select {
	case <-marking:
	case <-s.lease.expired:
	case <-timer.C:
	}
}
