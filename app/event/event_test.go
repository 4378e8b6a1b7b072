package event_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestRecordTakesTheTypeFromTheSubjectWhereItIsMissing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		subject  string
		metadata map[string]string
		want     string
	}{
		"carried":          {"events.order.placed.v1", map[string]string{envelope.MetaType: "order.placed.v1"}, "order.placed.v1"},
		"carried alone":    {"", map[string]string{envelope.MetaType: "own.type"}, "own.type"},
		"from the subject": {"events.order.placed.v1", nil, "order.placed.v1"},
		"requeued":         {"requeue.event-history", nil, ""},
		"no subject":       {"", nil, ""},
	} {
		r := event.NewRecord(event.Message{ID: uuid.NewString(), Subject: c.subject, Metadata: c.metadata}, now)
		require.Equal(t, c.want, r.Type, name)
		require.Equal(t, now, r.Time, name)
	}
}

func TestRecordOfAnIDThatIsNoUUIDIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	record := func(id, source string) uuid.UUID {
		return event.NewRecord(event.Message{ID: id, Metadata: map[string]string{envelope.MetaSource: source}}, now).ID
	}
	require.Equal(t, record("A-1", "/a"), record("A-1", "/a"))
	require.NotEqual(t, record("A-1", "/a"), record("A-2", "/a"))
	require.NotEqual(t, record("A-1", "/a"), record("A-1", "/b"))
	require.NotEqual(t, uuid.Nil, record("", ""))
}

func TestLongAttributesAreClippedAndStayDifferent(t *testing.T) {
	t.Parallel()
	source := func(s string) string {
		return event.NewRecord(event.Message{Metadata: map[string]string{envelope.MetaSource: s}}, now).Source
	}
	for _, base := range []string{strings.Repeat("a", 255), strings.Repeat("ü", 127), strings.Repeat("\xff", 255)} {
		require.Equal(t, base, source(base), "what fits stays")
		one, other := source(base+"xx-one"), source(base+"xx-two")
		require.NotEqual(t, one, other)
		require.LessOrEqual(t, len(one), 255)
		require.Equal(t, utf8.ValidString(base), utf8.ValidString(one), "no character is cut")
	}
}

func TestTimesThatRFC3339CannotWriteAreReplaced(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "soon", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"} {
		r := event.NewRecord(event.Message{Metadata: map[string]string{envelope.MetaTime: s}}, now)
		require.Equal(t, now, r.Time, s)
	}
	r := event.NewRecord(event.Message{Metadata: map[string]string{envelope.MetaTime: "1999-12-31T23:59:59+01:00"}}, now)
	require.Equal(t, time.Date(1999, 12, 31, 22, 59, 59, 0, time.UTC), r.Time)
}

func TestPoisonIDIsTheGivenOneOrTheSameEachTime(t *testing.T) {
	t.Parallel()
	m := event.Message{ID: uuid.NewString(), Subject: "poison.order-customers"}
	given := uuid.New()
	require.Equal(t, given, event.NewPoison(m, event.GivenUp{ID: given.String()}, now).ID)
	for _, id := range []string{"", "no uuid", uuid.Nil.String()} {
		p := event.NewPoison(m, event.GivenUp{ID: id}, now)
		require.Equal(t, p.ID, event.NewPoison(m, event.GivenUp{ID: id}, now.Add(time.Hour)).ID)
		require.NotEqual(t, uuid.Nil, p.ID)
		require.NotEqual(t, p.ID, event.NewPoison(m, event.GivenUp{ID: id, Round: 1}, now).ID, "each round is a message of its own")
		other := m
		other.Subject = "poison.event-history"
		require.NotEqual(t, p.ID, event.NewPoison(other, event.GivenUp{ID: id}, now).ID)
	}
}

func TestPoisonWithoutTimesFailedNow(t *testing.T) {
	t.Parallel()
	p := event.NewPoison(event.Message{}, event.GivenUp{Attempts: -1, Round: -5}, now)
	require.Equal(t, now, p.FirstFailedAt)
	require.Equal(t, now, p.LastFailedAt)
	require.Zero(t, p.Attempts)
	require.Zero(t, p.Round)
}

func TestRequeueIsDecidedOnce(t *testing.T) {
	t.Parallel()
	p := event.NewPoison(event.Message{ID: uuid.NewString()}, event.GivenUp{Consumer: "order-customers", Round: 2}, now)
	require.NoError(t, p.Requeue())
	require.Equal(t, event.StatusRequeued, p.Status)
	require.Equal(t, 3, p.NextRound())
	require.NotEqual(t, p.EventID, p.RequeueID())
	for _, status := range []event.Status{event.StatusRequeued, event.StatusDiscarded, event.StatusResolved} {
		p.Status = status
		require.ErrorIs(t, p.Requeue(), event.ErrPoisonNotOpen)
		require.Equal(t, status, p.Status)
	}
}

func TestFingerprintIsOfTheKindOfFailure(t *testing.T) {
	t.Parallel()
	of := func(consumer, eventType, reason string) string {
		m := event.Message{Metadata: map[string]string{envelope.MetaType: eventType}}
		return event.NewPoison(m, event.GivenUp{Consumer: consumer, Reason: reason}, now).Fingerprint
	}
	base := of("c", "t", `order 0195a1f0-7c1d-7e64-9a43-0d6f1b7c2e98 not found after 3 attempts: "SKU-1" at 'x'`)
	require.NotEmpty(t, base)
	require.Equal(t, base, of("c", "t", `order 0195A1F0-ffff-7e64-9a43-0d6f1b7c2e98  not found after 12 attempts: "a b" at 'y z'`))
	require.NotEqual(t, base, of("d", "t", `order 0195a1f0-7c1d-7e64-9a43-0d6f1b7c2e98 not found after 3 attempts: "SKU-1" at 'x'`))
	require.NotEqual(t, base, of("c", "u", `order 0195a1f0-7c1d-7e64-9a43-0d6f1b7c2e98 not found after 3 attempts: "SKU-1" at 'x'`))
	require.NotEqual(t, base, of("c", "t", "the order is unknown"))
	require.Equal(t, of("c", "t", "at deadbeef01"), of("c", "t", "at 0123456789ab"), "an ID without dashes")
	require.NotEqual(t, of("c", "t", "it can't work and won't"), of("c", "t", "it can't be and won't"), "an apostrophe quotes nothing")
	long := strings.Repeat("x", 5000)
	require.NotEqual(t, of("c", "t", long+"a"), of("c", "t", long+"b"), "the whole reason counts")
}
