package dispatch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answers is a receipt that keeps what the broker hears.
type answers struct{ heard []string }

func (a *answers) Ack()              { a.heard = append(a.heard, "ack") }
func (a *answers) Nak(time.Duration) { a.heard = append(a.heard, "nak") }
func (a *answers) Progress()         { a.heard = append(a.heard, "progress") }

// The beat works on a list that it made earlier. On JetStream a heartbeat behind a Nak undoes its delay.
func TestNoHeartbeatFollowsAnAnswer(t *testing.T) {
	t.Parallel()
	a := &answers{}
	it := &Item{Receipt: a}
	it.progress()
	it.answer(func(r Receipt) { r.Nak(time.Minute) })
	it.progress()
	require.Equal(t, []string{"progress", "nak"}, a.heard)
}
