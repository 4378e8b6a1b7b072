package router

import (
	"strconv"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
)

// ErrUnsigned is why a message on a requeue subject is given up unseen. Whoever may publish there could otherwise speak for every service.
var ErrUnsigned = fault.New(fault.Invalid, "unsigned", "It came on a requeue subject without the event service's signature. "+
	"If the services have different MILLRACE_SECRET_KEYs, give all the same one and requeue this message. "+
	"Otherwise somebody else wrote it: discard it, and change the broker password of the event service.")

// unsignedIDs is the namespace of the IDs under which unsigned messages are given up.
var unsignedIDs = uuid.MustParse("b1c2a5de-90a4-5b57-8c5a-6f1f0f4f2a31")

// refuse makes h that of a message which is not believed. It is given up under an ID made from its content and place: under the one that
// it claims, it would take the place of the true event.
func (h *handling) refuse(consumer string, msg *message.Message) {
	h.refused = ErrUnsigned
	digest := envelope.RequeuedDigest(consumer, msg.UUID, msg.Metadata, msg.Payload)
	place := strconv.FormatUint(h.delivery.StreamSequence, 10)
	h.event = envelope.Envelope{ID: uuid.NewSHA1(unsignedIDs, append(digest, place...)).String(), Data: msg.Payload}
}

// Prefixes of metadata keys that the poison queue writes, and what they become where somebody else wrote them.
const (
	ourPrefix     = "millrace-poison-"
	claimedPrefix = "millrace-claimed-"
	claimedRound  = claimedPrefix + "round"
)

// claims returns the metadata of a message that is not believed, with everything that it claims: what only the poison queue writes stands
// under other names.
func claims(metadata message.Metadata) map[string]string {
	claimed := make(map[string]string, len(metadata))
	for key, value := range metadata {
		switch lower := strings.ToLower(key); {
		case strings.HasPrefix(lower, ourPrefix):
			key = claimedPrefix + key[len(ourPrefix):]
		case lower == envelope.MetaRound:
			key = claimedRound
		}
		claimed[key] = value
	}
	return claimed
}
