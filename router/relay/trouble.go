package relay

import (
	"sync"
	"time"
)

// Trouble is why rows wait in an outbox, as far as the relay that holds the lease knows.
type Trouble struct {
	Stream string // that the broker refuses; empty where the service's own database is the cause
	Since  time.Time
	Err    error
}

// What a relay does at its database, as causes of trouble.
const (
	comparing = "compare" // also asks the broker
	reading   = "read"
	marking   = "mark"
)

// troubles are those of a relay, by their cause.
type troubles struct {
	mu  sync.Mutex
	now map[string]Trouble
}

// set notes that a cause is there, or with a nil err that it is gone. The first time stands.
func (t *troubles) set(cause string, found Trouble) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found.Err == nil {
		delete(t.now, cause)
		return
	}
	if before, ok := t.now[cause]; ok {
		found.Since = before.Since
	}
	if t.now == nil {
		t.now = map[string]Trouble{}
	}
	t.now[cause] = found
}

func (t *troubles) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.now)
}

// worst returns the trouble that the others may come from: the database's before the broker's, the oldest first.
func (t *troubles) worst() (worst Trouble, found bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.now {
		database, before := one.Stream == "", worst.Stream == ""
		if !found || database && !before || database == before && one.Since.Before(worst.Since) {
			worst, found = one, true
		}
	}
	return worst, found
}

// Trouble returns why rows wait; found is false where nothing is known to hold them, as at a relay without the lease.
func (r *Relay) Trouble() (t Trouble, found bool) { return r.troubles.worst() }

// failed notes that the relay cannot do something at its database, or with a nil err that it can.
func (r *Relay) failed(cause string, err error) {
	r.troubles.set(cause, Trouble{Since: r.cfg.Now(), Err: err})
}
