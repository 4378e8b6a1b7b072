package dispatch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// recorder is an Acknowledger that records its calls.
type recorder struct{ calls []string }

func (r *recorder) Ack()              { r.calls = append(r.calls, "ack") }
func (r *recorder) Nak(time.Duration) { r.calls = append(r.calls, "nak") }
func (r *recorder) Progress()         { r.calls = append(r.calls, "progress") }

// sendHeartbeats works on a list that it made before. On JetStream a heartbeat after a Nak cancels the delay.
func TestNoHeartbeatFollowsAnAckOrNak(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	it := &Item{Acknowledger: r}
	it.heartbeat()
	it.settle(func(a Acknowledger) { a.Nak(time.Minute) })
	it.heartbeat()
	require.Equal(t, []string{"progress", "nak"}, r.calls)
}
