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

// stretch is a time of publishing by one holder over one connection. What it knows dies with it, except for the keys that keep failing.
// Before the next one begins, no outcome is awaited any more, all marks are stored, and the broker's tail was compared.
type stretch struct {
	*Relay

	t        *tenure
	began    time.Time
	w        *window
	water    *highWater
	outcomes *mailbox[result]
	marker   *marker
	reader   *reader

	page     *page     // in work
	offset   int       // of the first row in it that was not looked at
	last     bool      // it is the last one of its pass
	passing  bool      // a pass is on its way
	passed   time.Time // when the last pass began
	taken    int       // rows that it published
	due      bool      // a pass is wanted
	looked   time.Time // when the pauses of failing keys were looked at
	failures failureLog
}

// result is the outcome of one publication.
type result struct {
	id             int64
	streamSequence uint64
	err            error
}

func newStretch(r *Relay, t *tenure, known map[string]*failing, breakers breakers, held map[string]outbox.Published) *stretch {
	began := r.cfg.Now()
	w := newWindow(r.cfg.Window, known)
	w.breakers = breakers
	breakers.settle()
	return &stretch{
		Relay: r, t: t, began: began, w: w, water: newHighWater(r.cfg.Broker, held, began),
		outcomes: newMailbox[result](), marker: newMarker(r, t), reader: newReader(r), due: true,
	}
}

// run publishes until stop ends, the tenure does, the connection is or may have been lost, or a stream lost its tail. It returns when
// outcomes and marks are settled, as far as the tenure allows.
func (s *stretch) run(stop, work context.Context) {
	work, cancel := context.WithCancel(work)
	reading := s.reader.start(work)
	marking := s.marker.start(work)
	s.publishAll(stop, work)
	s.settle(stop)
	s.marker.finish()
	s.await(stop, marking)
	cancel()
	<-reading
	<-marking
}

// publishAll is the loop: outcomes free the window, pages fill it.
func (s *stretch) publishAll(stop, work context.Context) {
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for s.t.holds() && stop.Err() == nil && s.cfg.Broker.Connected() && !s.suspicious() && !s.water.lost {
		s.advance()
		s.water.ask(work, s.cfg.Now(), s.cfg.Survey)
		alarm.Reset(s.pause())
		pages := s.reader.pages
		if s.page != nil {
			pages = nil // one after the other
		}
		select {
		case <-stop.Done():
		case <-s.t.over:
		case <-alarm.C:
		case <-s.cfg.Outbox.Wake():
			s.due = true
		case <-s.outcomes.ready:
			s.settleOutcomes(true)
		case doubts := <-s.water.answers:
			s.water.heard(doubts)
		case <-s.marker.stored.ready:
			s.forgetMarked()
		case p := <-pages:
			s.turn(p)
		}
	}
}

// suspicious reports that publications failed although the connection seems to stand: it may have been lost and found unseen.
func (s *stretch) suspicious() bool {
	return s.failures.any && s.cfg.Now().Sub(s.began) > suspicion
}

// suspicion is how long a stretch lasts at least although publications fail: rows that the broker refuses fail for ever.
const suspicion = 5 * time.Second

// pause is how long there is nothing to do unless something happens.
func (s *stretch) pause() time.Duration {
	if s.passing || s.w.full() {
		return look
	}
	next := s.passed.Add(s.cfg.Poll)
	if s.due || s.w.again {
		next = s.passed.Add(s.distance())
	}
	return min(max(next.Sub(s.cfg.Now()), 0), look)
}

// advance takes rows of the page in work while the window has room, and begins a pass where one is due.
func (s *stretch) advance() {
	for s.page != nil {
		for s.offset < len(s.page.rows) {
			if s.w.full() || !s.may() {
				return
			}
			p := s.page.rows[s.offset]
			s.offset++
			if s.w.take(p, s.page.after == 0, s.cfg.Now()) {
				s.taken++
				s.publish(p)
			}
		}
		s.page = nil
		s.w.endRead()
		s.passing = !s.last
		s.metrics.held.Set(float64(s.w.held()))
	}
	now := s.cfg.Now()
	if now.Sub(s.looked) >= look {
		s.looked = now
		s.w.retryDue(now)
	}
	due := s.due || s.w.again || now.Sub(s.passed) >= s.cfg.Poll
	if s.passing || !due || now.Sub(s.passed) < s.distance() || s.w.full() {
		return
	}
	s.w.startPass(now)
	s.passing, s.due, s.passed, s.taken = true, false, now, 0
	s.read(0)
}

// furthest is the greatest distance between two passes while rows keep coming.
const furthest = 25 * time.Millisecond

// distance is how long after a pass the next may begin: a millisecond for each row that it took. A row that comes alone is published at
// once; under load one read serves many, and rows whose marks are on their way are not read again and again.
func (s *stretch) distance() time.Duration {
	return max(s.cfg.Gather, min(time.Duration(s.taken)*time.Millisecond, furthest))
}

func (s *stretch) read(after int64) {
	s.w.beginRead()
	s.reader.requests <- request{streams: s.w.streams(), after: after}
}

// turn puts a page into work. The one behind it is read meanwhile.
func (s *stretch) turn(p *page) {
	s.page, s.offset = p, 0
	s.last = p.err != nil || !p.more || s.w.passIsLong()
	if p.err != nil {
		s.reader.failed(p.err)
		return
	}
	s.reader.worked()
	if !s.last {
		s.read(p.rows[len(p.rows)-1].ID)
	}
}

// may reports whether the relay may publish at this moment.
func (s *stretch) may() bool { return s.t.holds() && s.cfg.Broker.Connected() }

// publish sends a row that the window gave, or gives it back where that is not allowed any more.
func (s *stretch) publish(p outbox.Pending) {
	if !s.may() {
		s.w.failed(p.ID, s.cfg.Now())
		return
	}
	msg, err := toMessage(p)
	if err != nil {
		s.outcomes.put(result{id: p.ID, err: err})
		return
	}
	s.cfg.Broker.PublishAsync(p.Topic, msg, func(streamSequence uint64, err error) {
		s.outcomes.put(result{id: p.ID, streamSequence: streamSequence, err: err})
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

// settleOutcomes gives the window what came back; where goOn, what follows acknowledged rows is published.
func (s *stretch) settleOutcomes(goOn bool) {
	now := s.cfg.Now()
	var done []outbox.Published
	for _, o := range s.outcomes.take(0) {
		if o.err != nil {
			s.notPublished(o, now)
			continue
		}
		p, next, ok := s.w.acked(o.id, o.streamSequence, now)
		if !ok {
			continue
		}
		s.metrics.published.Inc()
		s.water.acked(p)
		done = append(done, p)
		if next != nil && goOn {
			s.publish(*next)
		} else if next != nil {
			s.w.failed(next.ID, now)
		}
	}
	if len(done) > 0 {
		s.marker.acked.put(done...)
	}
	s.report()
}

// notPublished takes a publication that failed. What makes the broker or its stream unavailable holds for the rows of other keys as well.
func (s *stretch) notPublished(o result, now time.Time) {
	s.metrics.failed.Inc()
	if fault.KindOf(o.err) == fault.Unavailable {
		s.failures.any = true
		s.w.refused(o.id, o.err, now)
		return
	}
	s.failures.add(s.log, o.err, now)
	s.w.failed(o.id, now)
}

// report tells readiness and metrics which streams refuse messages.
func (s *stretch) report() {
	for stream, b := range s.w.breakers {
		s.metrics.refusing(stream, b.refusing() != nil)
		s.troubles.set(stream, Trouble{Stream: stream, Since: b.since, Err: b.refusing()})
	}
}

func (s *stretch) forgetMarked() {
	if ids := s.marker.stored.take(0); len(ids) > 0 {
		s.w.marked(ids)
	}
}

// overdue is how long an outcome may take before the wait for it is worth a line: the broker's adapter answers within half of it.
const overdue = 10 * time.Second

// settle waits for the outcomes that are still to come, all of them: a row without one is not published again. Once stop ended it
// waits for a moment only, and for nothing from a broker that is away.
func (s *stretch) settle(stop context.Context) {
	var deadline time.Time
	began, said := s.cfg.Now(), false
	for s.t.holds() {
		s.settleOutcomes(false)
		if s.w.outstanding() == 0 {
			return
		}
		if !said && s.cfg.Now().Sub(began) > overdue {
			said = true
			s.log.Warn("relay waits for outcomes that are overdue", "rows", s.w.outstanding())
		}
		if stop.Err() != nil {
			now := s.cfg.Now()
			if deadline.IsZero() {
				deadline = now.Add(s.cfg.Settle)
			}
			if !now.Before(deadline) || !s.cfg.Broker.Connected() {
				return
			}
		}
		timer := time.NewTimer(look)
		select {
		case <-s.outcomes.ready:
		case <-s.t.over:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// await waits until the marks are stored, or the tenure is over; once stop ended, not for long.
func (s *stretch) await(stop context.Context, marking <-chan struct{}) {
	select {
	case <-marking:
		return
	case <-s.t.over:
		return
	case <-stop.Done():
	}
	timer := time.NewTimer(s.cfg.Settle)
	defer timer.Stop()
	select {
	case <-marking:
	case <-s.t.over:
	case <-timer.C:
	}
}
