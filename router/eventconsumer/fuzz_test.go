package eventconsumer

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
)

// FuzzPoisonMetadata has a stranger write what a consumer says of the message that it gave up.
func FuzzPoisonMetadata(f *testing.F) {
	f.Add("poison.order-customers", "", "events.user.created.v1", "undecodable", "12", "2", "2026-03-01T10:00:00.5Z", "", []byte("raw"))
	f.Add("poison.", "c", "", "\xff\x00", "-1", "99999999999999999999", "once", "0000-01-01T00:00:00Z", []byte(nil))
	f.Fuzz(func(t *testing.T, subject, consumer, from, reason, attempts, round, first, last string, data []byte) {
		m := event.Message{ID: uuid.Nil.String(), Subject: subject, Data: data, Metadata: map[string]string{
			envelope.MetaPoisonConsumer: consumer, envelope.MetaPoisonSubject: from, envelope.MetaPoisonReason: reason,
			envelope.MetaPoisonAttempts: attempts, envelope.MetaRound: round, envelope.MetaPoisonFirst: first, envelope.MetaPoisonLast: last,
		}}
		g := givenUp(m)
		if of, ok := strings.CutPrefix(subject, "poison."); ok && g.Consumer != of || g.Reason != reason {
			t.Fatalf("%+v", g)
		}
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		if p := event.NewPoison(m, g, now); p.Attempts < 0 || p.Round < 0 || len(p.Reason) > 2048 || len(p.Consumer) > 255 ||
			p.LastFailedAt.Year() > 9999 || p.EventID == uuid.Nil {
			t.Fatalf("%+v", p)
		}
	})
}
