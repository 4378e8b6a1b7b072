package envelope

import (
	"strconv"

	"github.com/google/uuid"
)

// derived is the namespace of the UUIDs that stand for other IDs. It never changes: a message delivered twice must be the same twice.
var derived = uuid.MustParse("5f0a4f6e-54c5-5c0e-9d3e-6d1f2b6c7a10")

// UUID returns an event's ID as a UUID. An ID that is none becomes one by its source and itself, the same each time: two sources may use
// the same ID.
func UUID(source, id string) uuid.UUID {
	if u, err := uuid.Parse(id); err == nil && u != uuid.Nil {
		return u
	}
	return uuid.NewSHA1(derived, []byte("name\x00"+source+"\x00"+id))
}

// Identity returns the UUID of a message that was received: of what its publisher called it, or of its ce-id. Without either it is derived
// from the message's position in its stream, so that each redelivery has the same.
func Identity(name string, metadata map[string]string, stream string, sequence uint64) string {
	if name == "" {
		name = metadata[MetaID]
	}
	if name == "" {
		return uuid.NewSHA1(derived, []byte("place\x00"+stream+"\x00"+strconv.FormatUint(sequence, 10))).String()
	}
	return UUID(metadata[MetaSource], name).String()
}

// Key returns what orders a message: the aggregate that it is about, or its own identity where it is about none.
func Key(id string, metadata map[string]string) string {
	if key := metadata[MetaPartitionKey]; key != "" {
		return key
	}
	if key := metadata[MetaSubject]; key != "" {
		return key
	}
	return id
}
