package eventsql

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
)

// poisonPrefix begins each metadata key that the poison queue added.
const poisonPrefix = "millrace-poison-"

// SendBack implements command.Tx. The message is signed as its consumer will get it.
func (t tx) SendBack(ctx context.Context, p event.Poison, messageID uuid.UUID) error {
	if strings.Contains(p.Metadata[envelope.MetaPoisonOmitted], "payload") {
		return event.ErrPayloadOmitted
	}
	metadata := sqldb.Publishable(original(p))
	id := envelope.Identity(metadata[envelope.MetaID], metadata, envelope.StreamRequeue, 0)
	metadata[envelope.MetaSignature] = t.key.Sign(p.Consumer, id, metadata, p.Data)
	err := t.outbox.Add(ctx, t.Tx, sqldb.Entry{
		MessageID: messageID,
		Topic:     envelope.RequeueTopic(p.Consumer),
		Key:       strings.ToValidUTF8(p.Key, "?"),
		Metadata:  metadata,
		Payload:   p.Data,
	})
	if err != nil {
		return fmt.Errorf("send a poison message back: %w", err)
	}
	return nil
}

// original gives the metadata of the message that failed, for its next round, and the subject that it came from first. What the
// consumer had taken from the subject or the place in the stream, which are others now, is written into it.
func original(p event.Poison) map[string]string {
	metadata := make(map[string]string, len(p.Metadata)+3)
	maps.Copy(metadata, p.Metadata)
	maps.DeleteFunc(metadata, func(k, _ string) bool {
		poison := strings.HasPrefix(strings.ToLower(k), poisonPrefix) && k != envelope.MetaPoisonSubject
		return poison || strings.EqualFold(k, envelope.MetaDeduplicationID)
	})
	metadata[envelope.MetaRequeueOf] = p.ID.String()
	metadata[envelope.MetaRound] = strconv.Itoa(p.NextRound())
	if id := metadata[envelope.MetaID]; id == "" || strings.ContainsFunc(id, unicode.IsControl) || strings.TrimSpace(id) != id {
		metadata[envelope.MetaID] = p.EventID.String()
	}
	if metadata[envelope.MetaType] == "" && p.Type != "" {
		metadata[envelope.MetaType] = p.Type
	}
	return metadata
}
