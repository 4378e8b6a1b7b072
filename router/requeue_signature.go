package router

import (
	"strconv"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
)

// ErrUnsigned is why a message on a requeue subject is given up without being handled. Otherwise, whoever may publish there could
// impersonate every service.
var ErrUnsigned = fault.New(fault.Invalid, "unsigned",
	"The message was published on a requeue subject without the event service's signature. "+
		"If the services have different values of MILLRACE_SECRET_KEY, set the same one everywhere and requeue this message. "+
		"Otherwise it was forged: discard it, and change the broker password of the event service.")

// unsignedNamespace is the UUID namespace of the IDs under which unsigned messages are given up.
var unsignedNamespace = uuid.MustParse("b1c2a5de-90a4-5b57-8c5a-6f1f0f4f2a31")

// reject marks a message as forged. It is given up under an ID derived from its content and stream sequence: under the ID that it claims,
// the genuine event would be taken for a repeat.
func (h *deliveryState) reject(consumer string, msg *message.Message) {
	h.rejected = ErrUnsigned
	digest := envelope.RequeuedDigest(consumer, msg.UUID, msg.Metadata, msg.Payload)
	sequence := strconv.FormatUint(h.delivery.StreamSequence, 10)
	h.event = envelope.Envelope{ID: uuid.NewSHA1(unsignedNamespace, append(digest, sequence...)).String(), Data: msg.Payload}
}

// Prefixes of the metadata keys that the poison queue writes, and what they are replaced by in a forged message.
const (
	poisonPrefix  = "millrace-poison-"
	claimedPrefix = "millrace-claimed-"
	claimedRound  = claimedPrefix + "round"
)

// claimedMetadata returns the metadata of a forged message. Keys that only the poison queue may write are renamed.
func claimedMetadata(metadata message.Metadata) map[string]string {
	claimed := make(map[string]string, len(metadata))
	for key, value := range metadata {
		switch lower := strings.ToLower(key); {
		case strings.HasPrefix(lower, poisonPrefix):
			key = claimedPrefix + key[len(poisonPrefix):]
		case lower == envelope.MetaRound:
			key = claimedRound
		}
		claimed[key] = value
	}
	return claimed
}
