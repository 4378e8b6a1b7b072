// Package outbox is what the keeper of an outbox and the relay that empties it tell each other.
package outbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrLeaseLost says that another relay holds the lease: what this one still knows is out of date.
var ErrLeaseLost = errors.New("the relay's lease was lost")

// Pending is an outbox row that no broker acknowledged yet.
type Pending struct {
	ID        int64  // the row
	MessageID string // UUID; the broker tells repeats by it (Nats-Msg-Id). The event's own ID is in its metadata.
	Topic     string
	Key       string // rows of one key are published one after the other
	Sequence  int64  // their order; 0 where the key's rows go by ID
	Encoded   []byte // the metadata, as a JSON object of strings: most rows are read more often than they are published
	Payload   []byte
	CreatedAt time.Time
}

// Metadata returns the message's metadata.
func (p Pending) Metadata() (map[string]string, error) {
	var m map[string]string
	if err := json.Unmarshal(p.Encoded, &m); err != nil {
		return nil, fmt.Errorf("metadata of outbox row %d: %w", p.ID, err)
	}
	return m, nil
}

// Published is an outbox row together with the place that the broker's acknowledgement gave it in its stream.
type Published struct {
	ID             int64
	MessageID      string
	Topic          string
	StreamSequence uint64
}

// Backlog is what waits in an outbox.
type Backlog struct {
	Rows   int64
	Oldest time.Time // of the oldest row; zero where none waits
}

// PageBytes bounds what one read of an outbox holds in memory: its rows may be of 1 KiB or of 1 MiB.
const PageBytes = 16 << 20
