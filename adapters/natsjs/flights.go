package natsjs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// flights are the messages on their way to the broker. Each lands exactly once: acknowledged, refused, lost with the connection,
// late or closed, whatever is first. nats.go's own asynchronous publishing does not promise that (a closed connection leaves its
// futures open, a timeout calls back under its lock).
type flights struct {
	prefix string        // of the subjects that acknowledgements arrive on
	places chan struct{} // one per message on its way

	mu      sync.Mutex
	next    uint64
	open    map[string]*flight
	closed  error         // what every further flight fails with, nil while flights may start
	drained chan struct{} // closed when open is empty; nil while nobody waits

	landedMu sync.Mutex
	landed   []landing
	isBusy   bool       // a goroutine is calling done functions
	idle     *sync.Cond // of isBusy
}

// flight is one message on its way.
type flight struct {
	done     func(uint64, error)
	stream   string // that must take it
	deadline time.Time
}

// landing is one answer that its done has not heard yet.
type landing struct {
	done     func(uint64, error)
	sequence uint64
	err      error
}

func newFlights(prefix string, limit int) *flights {
	f := &flights{prefix: prefix, places: make(chan struct{}, limit), open: map[string]*flight{}}
	f.idle = sync.NewCond(&f.landedMu)
	return f
}

// start registers a message that has a place, and gives the token that its acknowledgement will carry.
func (f *flights) start(fl flight) string {
	f.mu.Lock()
	f.next++
	token := strconv.FormatUint(f.next, 36)
	if err := f.closed; err != nil {
		f.mu.Unlock()
		<-f.places
		f.land(fl.done, 0, err)
		return token
	}
	f.open[token] = &fl
	f.mu.Unlock()
	return token
}

// take ends a flight, for one caller only.
func (f *flights) take(token string) (*flight, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl, found := f.open[token]
	if found {
		f.remove(token)
	}
	return fl, found
}

// remove lets a flight's place go. The lock is held.
func (f *flights) remove(token string) {
	delete(f.open, token)
	<-f.places
	if len(f.open) == 0 && f.drained != nil {
		close(f.drained)
		f.drained = nil
	}
}

// answered hears an acknowledgement.
func (f *flights) answered(m *nats.Msg) {
	if len(m.Subject) <= len(f.prefix) {
		return
	}
	fl, found := f.take(m.Subject[len(f.prefix):])
	if !found {
		return // too late: its done has heard so
	}
	sequence, err := readAck(m, fl.stream)
	f.land(fl.done, sequence, err)
}

// readAck reads an acknowledgement of a message that stream must have taken. A server acknowledges for whatever stream takes the subject.
func readAck(m *nats.Msg, stream string) (sequence uint64, err error) {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return 0, ErrNoStream.Because(jetstream.ErrNoStreamResponse)
	}
	var ack struct {
		Error    *jetstream.APIError `json:"error"`
		Stream   string              `json:"stream"`
		Sequence uint64              `json:"seq"`
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return 0, ErrNoAnswer.Because(jetstream.ErrInvalidJSAck)
	}
	if ack.Error != nil {
		return 0, refusal(ack.Error)
	}
	if ack.Stream == "" || ack.Sequence == 0 {
		return 0, ErrNoAnswer.Because(errors.New("an acknowledgement without a place"))
	}
	if ack.Stream != stream {
		return 0, ErrOtherStream.Because(fmt.Errorf("stream %s acknowledged what belongs to %s", ack.Stream, stream))
	}
	return ack.Sequence, nil
}

// fail ends one flight with an error, if it is still open.
func (f *flights) fail(token string, err error) {
	if fl, found := f.take(token); found {
		f.land(fl.done, 0, err)
	}
}

// failAll ends every flight with an error.
func (f *flights) failAll(err error) { f.failIf(func(*flight) bool { return true }, err) }

// expire ends the flights whose time is over.
func (f *flights) expire(now time.Time, err error) {
	f.failIf(func(fl *flight) bool { return now.After(fl.deadline) }, err)
}

func (f *flights) failIf(over func(*flight) bool, err error) {
	var ended []*flight
	f.mu.Lock()
	for token, fl := range f.open {
		if over(fl) {
			ended = append(ended, fl)
			f.remove(token)
		}
	}
	f.mu.Unlock()
	for _, fl := range ended {
		f.land(fl.done, 0, err)
	}
}

// empty gives a channel that is closed when nothing is on its way.
func (f *flights) empty() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.drained == nil {
		f.drained = make(chan struct{})
	}
	drained := f.drained
	if len(f.open) == 0 {
		close(f.drained)
		f.drained = nil
	}
	return drained
}

// close fails what is on its way, gives its number, and fails everything that would still start.
func (f *flights) close(err error) (open int) {
	f.mu.Lock()
	f.closed = err
	open = len(f.open)
	f.mu.Unlock()
	f.failAll(err)
	return open
}

// land lets done hear the answer from a goroutine of its own, so that a done that blocks holds up no acknowledgement.
func (f *flights) land(done func(uint64, error), sequence uint64, err error) {
	f.landedMu.Lock()
	defer f.landedMu.Unlock()
	f.landed = append(f.landed, landing{done, sequence, err})
	if !f.isBusy {
		f.isBusy = true
		go f.callDone()
	}
}

// settle waits until every done has heard its answer.
func (f *flights) settle() {
	f.landedMu.Lock()
	defer f.landedMu.Unlock()
	for f.isBusy {
		f.idle.Wait()
	}
}

func (f *flights) callDone() {
	for {
		f.landedMu.Lock()
		batch := f.landed
		f.landed = nil
		f.isBusy = len(batch) > 0
		if !f.isBusy {
			f.idle.Broadcast()
		}
		f.landedMu.Unlock()
		if len(batch) == 0 {
			return
		}
		for _, l := range batch {
			l.done(l.sequence, l.err)
		}
	}
}
