package natsjs_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/natsjs"
)

// password is of servers that live as long as their test.
const password = "eel-trap-under-the-weir"

func writeUsers(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "users.conf")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

// listening runs an embedded server with a narrow user on a free port.
func listening(t *testing.T, password string) (server *natsjs.Embedded, url string) {
	t.Helper()
	users, err := natsjs.ReadUsers(writeUsers(t, `authorization {
		users = [ {user: shop, password: "a shop of its own", permissions { publish { allow: ["events.shop.>"] }, subscribe: "_INBOX.>" }} ]
	}`))
	require.NoError(t, err)
	server, err = natsjs.StartEmbedded(natsjs.EmbeddedConfig{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", Password: password, Users: users, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(server.Shutdown)
	conn, err := server.Connect(t.Context(), natsjs.Config{Name: "own", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}), "the process's own connections need nobody's password")
	return server, "nats://" + server.Addr().String()
}

func TestStrangerCannotConnectToTheEmbeddedServer(t *testing.T) {
	t.Parallel()
	_, url := listening(t, password)
	for name, options := range map[string][]nats.Option{
		"nobody":                {},
		"without a password":    {nats.UserInfo("millrace", "")},
		"with a wrong password": {nats.UserInfo("millrace", password+"!")},
		"with another's":        {nats.UserInfo("shop", password)},
		"as the process itself": {nats.UserInfo("millrace.process", "")},
	} {
		_, err := nats.Connect(url, options...)
		require.ErrorIs(t, err, nats.ErrAuthorization, name)
	}
}

func TestEmbeddedServerWithoutUsersDoesNotListen(t *testing.T) {
	t.Parallel()
	_, err := natsjs.StartEmbedded(natsjs.EmbeddedConfig{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler),
	})
	require.ErrorIs(t, err, natsjs.ErrNoUsers)
}

func TestUserOfTheEmbeddedServerMayDoWhatItsFileSays(t *testing.T) {
	t.Parallel()
	_, url := listening(t, "")
	refused := make(chan error, 10)
	nc, err := nats.Connect(url, nats.UserInfo("shop", "a shop of its own"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	_, err = js.Publish(t.Context(), "events.shop.opened.v1", []byte("{}"))
	require.NoError(t, err)
	require.NoError(t, nc.Publish("events.user.updated.v1", []byte("{}")))
	select {
	case err := <-refused:
		require.ErrorIs(t, err, nats.ErrPermissionViolation)
		require.ErrorContains(t, err, "events.user.updated.v1")
	case <-time.After(patient):
		t.Fatal("a narrow user may speak for the user service")
	}
	_, err = nats.Connect(url, nats.UserInfo("millrace", ""))
	require.ErrorIs(t, err, nats.ErrAuthorization, "without a password there is no such user")
}

func TestUserMillraceMayUseAllSubjects(t *testing.T) {
	t.Parallel()
	_, url := listening(t, password)
	nc, err := nats.Connect(url, nats.UserInfo(natsjs.EmbeddedUser, password))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	for _, subject := range []string{"events.user.updated.v1", "poison.order-customers", "requeue.order-customers"} {
		_, err = js.Publish(t.Context(), subject, []byte("{}"))
		require.NoError(t, err, subject)
	}
}

func TestUsersFileThatCannotBeReadSaysWhere(t *testing.T) {
	t.Parallel()
	for content, says := range map[string]string{
		"":                             "names no users",
		"authorization { users = [] }": "names no users",
		"users = [":                    "line",
		"\n\nusers = {user: shop, password: hunter2}": "line 3: users is no list",
		"port: 4222": "names no users",
		"authorization {\n user: shop, password: hunter2 }":                                           "line 1: authorization: line 2: ",
		"authorization { users = [ {user: shop, password: $MILLRACE_TEST_NOWHERE} ] }":                "MILLRACE_TEST_NOWHERE",
		"authorization { users = [\n{user: shop, pasword: hunter2} ] }":                               "pasword",
		"authorization { users = [\n{password: hunter2} ] }":                                          "requires a user",
		"authorization { users = [ {user: shop, password: a}, {user: shop, password: b} ] }":          `Duplicate user "shop"`,
		"no_auth_user: shop\nauthorization { users = [ {user: shop, password: hunter2} ] }":           "line 1: no_auth_user has no effect",
		"authorization { users = [ {user: shop, password: hunter2} ] }\ntls { cert_file: none }":      "line 2: tls has no effect",
		"accounts { A { users = [ {user: shop, password: hunter2} ] } }":                              "line 1: accounts has no effect",
		"authorization { users = [ {user: millrace.process, password: hunter2} ] }":                   "is Millrace's own",
		"authorization { token: hunter2, users = [ {user: shop, password: \"a shop of its own\"} ] }": "line 1: token has no effect",
	} {
		file := writeUsers(t, content)
		_, err := natsjs.ReadUsers(file)
		require.ErrorContains(t, err, says, content)
		require.ErrorContains(t, err, file, content)
		require.NotContains(t, err.Error(), "hunter2", content)
	}
}

func TestUsersOfDeployAreTaken(t *testing.T) {
	for _, name := range []string{"NATS_USER_PASSWORD", "NATS_ORDER_PASSWORD", "NATS_EVENT_PASSWORD"} {
		t.Setenv(name, "of-"+name)
	}
	t.Setenv("NATS_STORE_DIR", "elsewhere")
	users, err := natsjs.ReadUsers("../../deploy/nats.conf")
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"user": "of-NATS_USER_PASSWORD", "order": "of-NATS_ORDER_PASSWORD", "event": "of-NATS_EVENT_PASSWORD",
	}, users.Passwords())
}
