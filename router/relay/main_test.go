package relay

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/app/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = fault.New(fault.Unavailable, "database_away", "The database is away.")

// logBuffer collects what is logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// eventually advances the bubble's clock until condition holds.
func eventually(t *testing.T, limit time.Duration, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !condition(); {
		if time.Now().After(end) {
			t.Fatalf("not within %s", limit)
		}
		<-time.After(max(time.Millisecond, limit/10_000))
	}
}
