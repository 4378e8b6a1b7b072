package wire

import (
	"strconv"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
)

// space is the namespace of the identities that we derive. It never changes: a message delivered twice must be the same twice.
var space = uuid.MustParse("5f0a4f6e-54c5-5c0e-9d3e-6d1f2b6c7a10")

// Identity gives the UUID of a message that was received: what its publisher called it, or its ce-id. A name that is no UUID
// gives one derived from source and name; without any name it is derived from the message's place, so that each redelivery has
// the same.
func Identity(name string, metadata map[string]string, stream string, sequence uint64) string {
	if name == "" {
		name = metadata[contract.MetaID]
	}
	if name == "" {
		return uuid.NewSHA1(space, []byte("place\x00"+stream+"\x00"+strconv.FormatUint(sequence, 10))).String()
	}
	if id, err := uuid.Parse(name); err == nil {
		return id.String()
	}
	return uuid.NewSHA1(space, []byte("name\x00"+metadata[contract.MetaSource]+"\x00"+name)).String()
}

// Key gives the lane of a message: the aggregate it is about, or its own identity where it is about none.
func Key(id string, metadata map[string]string) string {
	if key := metadata[contract.MetaPartitionKey]; key != "" {
		return key
	}
	if key := metadata[contract.MetaSubject]; key != "" {
		return key
	}
	return id
}
