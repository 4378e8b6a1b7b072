package userhttp_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/app/limit"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/adapters/argon"
	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/adapters/usersql"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/app/user/query"
	"github.com/millrace/millrace/ports/rest"
	"github.com/millrace/millrace/ports/userhttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	adminEmail = "admin@localhost"
	password   = "correct horse"
)

// countingHasher counts what costs time.
type countingHasher struct {
	command.Hasher

	count atomic.Int64
}

func (h *countingHasher) Hash(ctx context.Context, from limit.Origin, password string) (string, error) {
	h.count.Add(1)
	return h.Hasher.Hash(ctx, from, password)
}

func (h *countingHasher) Verify(ctx context.Context, from limit.Origin, hash, password string) (bool, error) {
	h.count.Add(1)
	return h.Hasher.Verify(ctx, from, hash, password)
}

// api is the user service's API on a real store, with the first admin made.
type api struct {
	t       testing.TB
	handler http.Handler
	hasher  *countingHasher
	admin   string // the admin's token
}

func setup(t *testing.T) *api {
	t.Helper()
	a := setupWith(t, command.EnsureAdmin{Email: adminEmail, Password: password})
	a.admin = a.login(adminEmail, password)
	return a
}

// setupWith leaves it to the test to sign the admin in.
func setupWith(t testing.TB, admin command.EnsureAdmin) *api {
	t.Helper()
	return setupHashing(t, admin, argon.New(2, rand.Reader))
}

func setupHashing(t testing.TB, admin command.EnsureAdmin, passwords command.Hasher) *api {
	t.Helper()
	newID := func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	db := sqldbtest.Open(t, "sqlite:", usersql.Migrations)
	outbox := sqldb.NewOutbox(db, sqldb.OutboxConfig{Source: contract.SourceUser, NewID: newID, Now: time.Now})
	store := usersql.NewStore(db, outbox)
	hasher := &countingHasher{Hasher: passwords}
	keys, err := jwks.NewKeyring(jwks.KeyringConfig{
		Store: store, Secret: []byte("secret"), Random: rand.Reader, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	require.NoError(t, keys.Open(t.Context()))
	made, err := command.NewEnsureAdminHandler(store, hasher, newID, time.Now).
		Handle(t.Context(), admin)
	require.NoError(t, err)
	require.True(t, made)
	guard := command.NewGuard(command.GuardConfig{
		Limits: sqldb.NewLimits(db, []byte("secret"), time.Now), Known: store, Hasher: hasher, Key: []byte("secret"), Now: time.Now,
	})
	granter := command.NewGranter(jwks.NewSigner(keys, time.Now), rand.Reader, newID, time.Now)
	server := rest.New(rest.Config{Verifier: jwks.NewVerifier(keys, time.Now)})
	userhttp.Register(server.API(), userhttp.Handlers{
		RegisterUser:   command.NewRegisterUserHandler(store, hasher, newID, time.Now),
		UpdateUser:     command.NewUpdateUserHandler(store, hasher, guard, time.Now),
		DeleteUser:     command.NewDeleteUserHandler(store, time.Now),
		SignIn:         command.NewSignInHandler(store, hasher, guard, granter),
		RefreshSession: command.NewRefreshSessionHandler(store, granter),
		SignOut:        command.NewSignOutHandler(store),
		ChangePassword: command.NewChangePasswordHandler(store, hasher, guard, time.Now),
		EndSession:     command.NewEndSessionHandler(store),
		EndSessions:    command.NewEndSessionsHandler(store),
		Sessions:       query.NewSessionsHandler(store, time.Now),
		UserByID:       query.NewUserByIDHandler(store),
		Users:          query.NewUsersHandler(store),
		Keys:           keys,
		Cursors:        rest.NewCursors([]byte("secret")),
		Now:            time.Now,
	})
	return &api{t: t, handler: server.Handler(), hasher: hasher}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a *api) call(token, method, target, body string, headers ...string) answer {
	a.t.Helper()
	r := httptest.NewRequestWithContext(a.t.Context(), method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	data, err := io.ReadAll(w.Result().Body)
	require.NoError(a.t, err)
	return answer{status: w.Code, header: w.Result().Header, body: string(data)}
}

// refused is a call that fails with status and code.
func (a *api) refused(token, method, target, body string, status int, code string) rest.Problem {
	a.t.Helper()
	got := a.call(token, method, target, body)
	require.Equal(a.t, status, got.status, got.body)
	require.Equal(a.t, "application/problem+json", got.header.Get("Content-Type"))
	p := decode[rest.Problem](a.t, got.body)
	require.Equal(a.t, code, p.Code)
	return p
}

func decode[T any](t testing.TB, body string) (v T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(body), &v), body)
	return v
}

// register makes an account and gives it with a token.
func (a *api) register(email string) (userhttp.Account, string) {
	a.t.Helper()
	got := a.call("", http.MethodPost, "/api/users", `{"email":"`+email+`","name":"Ann","password":"`+password+`"}`)
	require.Equal(a.t, http.StatusCreated, got.status, got.body)
	return decode[userhttp.Account](a.t, got.body), a.login(email, password)
}

type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
}

func (a *api) login(email, password string) string { return a.signIn(email, password).AccessToken }

func (a *api) signIn(email, password string) tokens {
	a.t.Helper()
	got := a.call("", http.MethodPost, "/api/auth/login", `{"email":"`+email+`","password":"`+password+`"}`, "User-Agent", "tester/1")
	require.Equal(a.t, http.StatusOK, got.status, got.body)
	return decode[tokens](a.t, got.body)
}
