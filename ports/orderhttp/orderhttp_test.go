package orderhttp_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/adapters/ordersql"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/order/command"
	"github.com/millrace/millrace/app/order/query"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/ports/orderhttp"
	"github.com/millrace/millrace/ports/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tokens verifies a token that is a name, of the user of that name; "admin" is an admin.
type tokens struct{}

func (tokens) Verify(_ context.Context, token string) (principal.Principal, error) {
	p := principal.Principal{UserID: idOf(token), Role: principal.RoleUser}
	switch token {
	case "forged":
		return principal.Principal{}, fault.New(fault.Unauthenticated, "invalid_token", "no")
	case "admin":
		p.Role = principal.RoleAdmin
	}
	return p, nil
}

func idOf(name string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)) }

type api struct {
	handler http.Handler
	store   *ordersql.Store
	outbox  *sqldb.Outbox
}

func setup(t testing.TB) api {
	t.Helper()
	return setupOn(t, "sqlite:")
}

// onBoth runs a test on each database.
func onBoth(t *testing.T, test func(t *testing.T, a api)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, setup(t))
	})
	t.Run("mysql", func(t *testing.T) {
		t.Parallel()
		test(t, setupOn(t, sqldbtest.MySQL(t)))
	})
}

func setupOn(t testing.TB, url string) api {
	t.Helper()
	newID := func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	db := sqldbtest.Open(t, url, ordersql.Migrations)
	outbox := sqldb.NewOutbox(db, sqldb.OutboxConfig{Source: contract.SourceOrder, NewID: newID, Now: time.Now})
	store := ordersql.NewStore(db, outbox, sqldb.NewInbox(db, sqldb.InboxConfig{Consumer: "order-customers", Now: time.Now}))
	server := rest.New(rest.Config{Verifier: tokens{}})
	orderhttp.Register(server.API(), orderhttp.Handlers{
		PlaceOrder:  command.NewPlaceOrderHandler(store, newID, time.Now),
		UpdateOrder: command.NewUpdateOrderHandler(store, time.Now),
		CancelOrder: command.NewCancelOrderHandler(store, time.Now),
		DeleteOrder: command.NewDeleteOrderHandler(store, time.Now),
		OrderByID:   query.NewOrderByIDHandler(store),
		Orders:      query.NewOrdersHandler(store),
		Cursors:     rest.NewCursors([]byte("secret")),
	})
	return api{handler: server.Handler(), store: store, outbox: outbox}
}

// call asks as the user of that name, nobody where it is empty.
func (a api) call(t *testing.T, name, method, target, body string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if name != "" {
		r.Header.Set("Authorization", "Bearer "+name)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("X-Correlation-ID", "request-1")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, res *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(body)
}

// done is a call that succeeds with status and answers an object.
func (a api) done(t *testing.T, status int, name, method, target, body string) map[string]any {
	t.Helper()
	res := a.call(t, name, method, target, body)
	answer := text(t, res)
	require.Equal(t, status, res.StatusCode, answer)
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(answer), &object))
	return object
}

// refused is a call that fails with status.
func (a api) refused(t *testing.T, status int, name, method, target, body string) rest.Problem {
	t.Helper()
	res := a.call(t, name, method, target, body)
	answer := text(t, res)
	require.Equal(t, status, res.StatusCode, answer)
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
	var p rest.Problem
	require.NoError(t, json.Unmarshal([]byte(answer), &p))
	require.Equal(t, "request-1", p.CorrelationID)
	return p
}

const order = `{"currency":"EUR","note":"ring twice","items":[{"sku":"book","quantity":2,"unit_price":1250},` +
	`{"sku":"pen","quantity":1,"unit_price":99}]}`

func (a api) placed(t *testing.T, name string) (target string) {
	t.Helper()
	id, _ := a.done(t, http.StatusCreated, name, http.MethodPost, "/api/orders", order)["id"].(string)
	return "/api/orders/" + id
}

func (a api) published(t *testing.T) (types []string) {
	t.Helper()
	pending, _, err := a.outbox.Pending(context.WithoutCancel(t.Context()), envelope.Prefixes(), 0, 1000) // also in a cleanup
	require.NoError(t, err)
	for _, p := range pending {
		metadata, err := p.Metadata()
		require.NoError(t, err)
		require.Equal(t, "request-1", metadata[envelope.MetaCorrelation])
		types = append(types, metadata[envelope.MetaType])
	}
	return types
}
