package eventhttp_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/adapters/eventsql"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/event"
	"github.com/millrace/millrace/app/event/command"
	"github.com/millrace/millrace/app/event/query"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/ports/eventhttp"
	"github.com/millrace/millrace/ports/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// tokens verifies a token that is the name of a role, of a user of that name.
type tokens struct{}

func (tokens) Verify(_ context.Context, token string) (principal.Principal, error) {
	role := principal.Role(token)
	if !role.Valid() {
		return principal.Principal{}, fault.New(fault.Unauthenticated, "invalid_token", "no")
	}
	return principal.Principal{UserID: uuid.NewSHA1(uuid.NameSpaceOID, []byte(token)), Role: role}, nil
}

type api struct {
	handler http.Handler
	store   *eventsql.Store
	outbox  *sqldb.Outbox
}

func setup(t testing.TB) api {
	t.Helper()
	db := sqldbtest.Open(t, "sqlite:", eventsql.Migrations)
	outbox := sqldb.NewOutbox(db, sqldb.OutboxConfig{Source: contract.SourceEvent, NewID: uuid.New, Now: time.Now})
	store := eventsql.NewStore(db, outbox, envelope.NewRequeueKey([]byte("a key of this test")))
	server := rest.New(rest.Config{Verifier: tokens{}})
	eventhttp.Register(server.API(), eventhttp.Handlers{
		Events:        query.NewEventsHandler(store),
		EventByID:     query.NewEventByIDHandler(store, "event-history"),
		Poison:        query.NewPoisonHandler(store),
		PoisonByID:    query.NewPoisonByIDHandler(store),
		RequeuePoison: command.NewRequeuePoisonHandler(store),
		Cursors:       rest.NewCursors([]byte("secret")),
	})
	return api{handler: server.Handler(), store: store, outbox: outbox}
}

// call asks as role, and gives status and body.
func (a api) call(t *testing.T, role, method, target string) (int, []byte) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	if role != "" {
		r.Header.Set("Authorization", "Bearer "+role)
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	require.NoError(t, err)
	return w.Code, body
}

// get is a call of an operator that succeeds.
func (a api) get(t *testing.T, target string) []byte {
	t.Helper()
	status, body := a.call(t, "operator", http.MethodGet, target)
	require.Equal(t, http.StatusOK, status, "%s: %s", target, body)
	return body
}

// refused is a call of an operator that fails with status, and gives the problem's code.
func (a api) refused(t *testing.T, method, target string, status int) string {
	t.Helper()
	got, body := a.call(t, "operator", method, target)
	require.Equal(t, status, got, "%s: %s", target, body)
	return decode[rest.Problem](t, body).Code
}

func decode[T any](t *testing.T, body []byte) (v T) {
	t.Helper()
	require.NoError(t, json.Unmarshal(body, &v), "%s", body)
	return v
}

// page is a list as a client sees it.
type page struct {
	Items []map[string]any `json:"items"`
	Next  string           `json:"next_cursor"`
}

func message(data string, metadata map[string]string) event.Message {
	id := uuid.Must(uuid.NewV7()).String()
	m := envelope.Envelope{
		ID: id, Type: contract.TypeOrderPlaced, Source: contract.SourceOrder, Key: "key", Sequence: 1, Time: begin, CorrelationID: "corr",
	}.Metadata()
	maps.Copy(m, metadata)
	return event.Message{ID: id, Subject: "events.order.placed.v1", Metadata: m, Data: []byte(data)}
}

func (a api) record(t *testing.T, messages ...event.Message) {
	t.Helper()
	now := func() time.Time { return begin.Add(time.Second) }
	for _, m := range messages {
		require.NoError(t, command.NewRecordEventHandler(a.store, now).Handle(t.Context(), command.RecordEvent{Message: m}))
		_, err := command.NewAssignPositionsHandler(a.store, time.Now).Handle(t.Context())
		require.NoError(t, err)
	}
}

func (a api) poison(t *testing.T, m event.Message) uuid.UUID {
	t.Helper()
	id := uuid.New()
	h := command.NewStorePoisonHandler(a.store, func() time.Time { return begin })
	require.NoError(t, h.Handle(t.Context(), command.StorePoison{Message: m, GivenUp: event.GivenUp{
		ID: id.String(), Consumer: "order-customers", Subject: m.Subject, Reason: "undecodable", Attempts: 1, First: begin, Last: begin,
	}}))
	return id
}

func keys(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

func TestRoutesAreForOperatorsAndAdmins(t *testing.T) {
	t.Parallel()
	a := setup(t)
	id := uuid.NewString()
	for _, route := range []struct {
		method, path string
		status       int // of one who may
	}{
		{http.MethodGet, "/api/events", http.StatusOK},
		{http.MethodGet, "/api/events/" + id, http.StatusNotFound},
		{http.MethodGet, "/api/poison", http.StatusOK},
		{http.MethodGet, "/api/poison/" + id, http.StatusNotFound},
		{http.MethodPost, "/api/poison/" + id + "/requeue", http.StatusNotFound},
	} {
		for role, want := range map[string]int{
			"": http.StatusUnauthorized, "nobody": http.StatusUnauthorized, "user": http.StatusForbidden, "publisher": http.StatusForbidden,
			"operator": route.status, "admin": route.status,
		} {
			status, body := a.call(t, role, route.method, route.path)
			require.Equal(t, want, status, "%s %s as %q: %s", route.method, route.path, role, body)
		}
	}
}

func TestEventIsShownWhole(t *testing.T) {
	t.Parallel()
	a := setup(t)
	m := message(`{"n":1}`, map[string]string{envelope.MetaCausation: "cause", "own": "<&>"})
	a.record(t, m)
	a.poison(t, m)
	want := map[string]any{
		"position": 1.0, "id": m.ID, "type": "order.placed.v1", "source": "/millrace/order", "key": "key", "sequence": 1.0,
		"time": "2026-03-01T12:00:00Z", "recorded_at": "2026-03-01T12:00:01Z", "correlation_id": "corr", "causation_id": "cause",
		"data": map[string]any{"n": 1.0},
	}
	list := decode[page](t, a.get(t, "/api/events"))
	require.Equal(t, []map[string]any{want}, list.Items)

	detail := decode[map[string]any](t, a.get(t, "/api/events/"+m.ID))
	want["outcomes"] = []any{
		map[string]any{"consumer": "order-customers", "outcome": "poisoned", "attempt": 1.0, "at": "2026-03-01T12:00:00Z"},
		map[string]any{"consumer": "event-history", "outcome": "recorded", "attempt": 1.0, "at": "2026-03-01T12:00:01Z"},
	}
	metadata := map[string]any{}
	for k, v := range m.Metadata {
		metadata[k] = v
	}
	want["metadata"] = metadata
	require.Equal(t, want, detail)
}

func TestDataGoesOutAsItWasPublished(t *testing.T) {
	t.Parallel()
	a := setup(t)
	for _, data := range []string{
		`{ "b": 1.00, "a": [ 12345678901234567890 , 1e400 ],` + "\n\t" + `"html": "<b>&amp;</b>", "a": "twice" }`,
		` "text" `, `null`, `[]`, `0`,
	} {
		m := message(data, nil)
		a.record(t, m)
		require.Contains(t, string(a.get(t, "/api/events/"+m.ID)), `"data":`+data+`}`)
		require.Contains(t, string(a.get(t, "/api/events?limit=1")), `"data":`+data+`}`)
		id := a.poison(t, m)
		require.Contains(t, string(a.get(t, "/api/poison/"+id.String())), `"data":`+data+`}`)
	}
	for data, want := range map[string]string{"": "", "{": "ew==", "\xff\x00": "/wA=", "\"\xff\"": "Iv8i", `{} {}`: "e30ge30="} {
		m := message(data, map[string]string{envelope.MetaSource: "\xff", "binary": "\xff"})
		a.record(t, m)
		got := decode[map[string]any](t, a.get(t, "/api/events/"+m.ID))
		require.Equal(t, want, got["data_base64"])
		require.NotContains(t, got, "data")
	}
}

func TestListsAreFollowedToTheirEnd(t *testing.T) {
	t.Parallel()
	a := setup(t)
	for range 7 {
		m := message("{}", nil)
		a.record(t, m)
		a.poison(t, m)
	}
	for target, want := range map[string]int{
		"/api/events?limit=3": 3, "/api/events?limit=3&order=asc": 3, "/api/poison?limit=3": 3, "/api/events?limit=7": 1,
		"/api/events?type=order.placed.v1&key=key&source=/millrace/order&correlation_id=corr&after=2026-03-01T12:00:00Z" +
			"&before=2026-03-01T13:00:00%2B01:00&limit=2": 0,
		"/api/events?before=0001-01-01T00:00:00Z": 0, "/api/poison?before=0001-01-01T00:00:00Z": 0, // Go's zero time
		"/api/events?after=0001-01-01T00:00:00Z&limit=4": 2, "/api/poison?after=0001-01-01T00:00:00Z&limit=4": 2,
		"/api/events?after=2026-03-01T12:00:00Z&limit=2":                                                                   4,
		"/api/poison?status=open&consumer=order-customers&type=order.placed.v1&key=key&after=2026-03-01T12:00:00Z&limit=5": 2,
	} {
		pages, items, next := 0, map[any]bool{}, target
		for next != "" {
			p := decode[page](t, a.get(t, next))
			if len(p.Items) == 0 {
				break
			}
			pages++
			for _, i := range p.Items {
				items[i["id"]] = true
			}
			if next = p.Next; next != "" {
				next = target + "&cursor=" + url.QueryEscape(p.Next)
			}
		}
		require.Equal(t, want, pages, target)
		if want > 0 {
			require.Len(t, items, 7, target)
		}
	}
	oldest := decode[page](t, a.get(t, "/api/events?order=asc&limit=1"))
	require.InDelta(t, 1, oldest.Items[0]["position"], 0)
	newest := decode[page](t, a.get(t, "/api/events?limit=1"))
	require.InDelta(t, 7, newest.Items[0]["position"], 0)
}

func TestEmptyListIsAnEmptyArray(t *testing.T) {
	t.Parallel()
	a := setup(t)
	require.JSONEq(t, `{"items":[]}`, string(a.get(t, "/api/events")))
	require.JSONEq(t, `{"items":[]}`, string(a.get(t, "/api/poison")))
}

func TestForeignCursorsAndBadFiltersAreRefused(t *testing.T) {
	t.Parallel()
	a := setup(t)
	for range 2 {
		a.record(t, message("{}", nil))
	}
	cursor := url.QueryEscape(decode[page](t, a.get(t, "/api/events?limit=1")).Next)
	require.NotEmpty(t, cursor)
	a.get(t, "/api/events?limit=2&cursor="+cursor)
	for _, target := range []string{
		"/api/events?order=asc&cursor=" + cursor, "/api/events?type=a&cursor=" + cursor, "/api/poison?cursor=" + cursor,
		"/api/events?cursor=x", "/api/events?nonsense=1", "/api/events?limit=0", "/api/events?limit=201", "/api/events?order=up",
		"/api/events?after=yesterday", "/api/poison?status=lost", "/api/poison?before=1", "/api/events/no-uuid", "/api/poison/no-uuid",
	} {
		a.refused(t, http.MethodGet, target, http.StatusUnprocessableEntity)
	}
	status, body := a.call(t, "admin", http.MethodGet, "/api/events?limit=1&cursor="+cursor)
	require.Equal(t, http.StatusUnprocessableEntity, status, "another's cursor: %s", body)
	_, body = a.call(t, "operator", http.MethodGet, "/api/events?after=yesterday")
	require.Equal(t, []rest.Violation{{Location: "query.after", Message: "must be a time as in RFC 3339: 2026-01-31T12:00:00Z"}},
		decode[rest.Problem](t, body).Errors)
}

func TestPoisonIsShownAndRequeuedOnce(t *testing.T) {
	t.Parallel()
	a := setup(t)
	m := message("{broken", nil)
	id := a.poison(t, m)
	shown := decode[page](t, a.get(t, "/api/poison")).Items[0]
	require.ElementsMatch(t, []string{
		"id", "status", "consumer", "type", "key", "event_id", "subject", "reason", "attempts", "first_failed_at", "last_failed_at",
		"fingerprint", "metadata", "data_base64",
	}, keys(shown))
	require.Equal(t, "open", shown["status"])
	require.Equal(t, m.ID, shown["event_id"])

	status, body := a.call(t, "operator", http.MethodPost, "/api/poison/"+id.String()+"/requeue")
	require.Equal(t, http.StatusOK, status, "%s", body)
	shown["status"] = "requeued"
	require.Equal(t, shown, decode[map[string]any](t, body))
	require.Equal(t, shown, decode[map[string]any](t, a.get(t, "/api/poison/"+id.String())))
	require.Equal(t, "poison_not_open", a.refused(t, http.MethodPost, "/api/poison/"+id.String()+"/requeue", http.StatusConflict))

	pending, _, err := a.outbox.Pending(t.Context(), envelope.Prefixes(), 0, 10)
	require.NoError(t, err)
	require.Len(t, pending, 1)
	require.Equal(t, "requeue.order-customers", pending[0].Topic)
}

func TestUnknownThingsAreNotFound(t *testing.T) {
	t.Parallel()
	a := setup(t)
	id := uuid.NewString()
	require.Equal(t, "event_not_found", a.refused(t, http.MethodGet, "/api/events/"+id, http.StatusNotFound))
	require.Equal(t, "poison_not_found", a.refused(t, http.MethodGet, "/api/poison/"+id, http.StatusNotFound))
	require.Equal(t, "poison_not_found", a.refused(t, http.MethodPost, "/api/poison/"+id+"/requeue", http.StatusNotFound))
}

func TestDocumentDescribesTheAnswers(t *testing.T) {
	t.Parallel()
	a := setup(t)
	status, body := a.call(t, "", http.MethodGet, "/openapi.json")
	require.Equal(t, http.StatusOK, status)
	document := decode[struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}](t, body)
	require.Contains(t, document.Components.Schemas, "EventDetail")
	require.Subset(t, keys(document.Components.Schemas["EventDetail"].Properties), []string{"position", "data", "data_base64", "outcomes"})
	require.Contains(t, document.Components.Schemas, "Poison")
}
