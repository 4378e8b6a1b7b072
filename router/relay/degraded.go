package relay

import (
	"sync"
	"time"
)

// DegradedReason is why rows wait in an outbox, as far as the relay that holds the lease knows.
type DegradedReason struct {
	Stream string // that the broker refuses; empty where the service's own database is the cause
	Since  time.Time
	Err    error
}

// What a relay does at its database, as causes of trouble.
const (
	reconciling = "compare" // also asks the broker
	reading     = "read"
	storing     = "mark"
)

// degradedReasons are those of a relay, by their cause.
type degradedReasons struct {
	mu      sync.Mutex
	byCause map[string]DegradedReason
}

// set notes that a cause is there, or with a nil err that it is gone. The first time stands.
func (t *degradedReasons) set(cause string, found DegradedReason) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found.Err == nil {
		delete(t.byCause, cause)
		return
	}
	if before, ok := t.byCause[cause]; ok {
		found.Since = before.Since
	}
	if t.byCause == nil {
		t.byCause = map[string]DegradedReason{}
	}
	t.byCause[cause] = found
}

func (t *degradedReasons) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.byCause)
}

// mostSevere returns the trouble that the others may come from: the database's before the broker's, the oldest first.
func (t *degradedReasons) mostSevere() (worst DegradedReason, found bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.byCause {
		database, before := one.Stream == "", worst.Stream == ""
		if !found || database && !before || database == before && one.Since.Before(worst.Since) {
			worst, found = one, true
		}
	}
	return worst, found
}

// DegradedReason returns why rows wait; found is false where nothing is known to hold them, as at a relay without the lease.
func (r *Relay) DegradedReason() (t DegradedReason, found bool) { return r.degraded.mostSevere() }

// setDatabaseError notes that the relay cannot do something at its database, or with a nil err that it can.
func (r *Relay) setDatabaseError(cause string, err error) {
	r.degraded.set(cause, DegradedReason{Since: r.cfg.Now(), Err: err})
}
