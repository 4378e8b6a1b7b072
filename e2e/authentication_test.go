package e2e_test

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/usersql"
	"github.com/millrace/millrace/app/principal"
)

const testSecret = "bd4bab6fe02e1e7e8a15ecf0396ce583551d63cb025c358228c26f35d9331c7c"

// forger signs tokens with the very keys of a process on SQLite in dir, as if it were another time.
type forger struct {
	keys *jwks.Keyring
}

func newForger(t *testing.T, dir string) forger {
	t.Helper()
	db, err := sqldb.Open(sqldb.Config{URL: "sqlite:", DataDir: dir, Name: "millrace_user"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, db.Migrate(t.Context(), usersql.Migrations))
	outbox := sqldb.NewOutbox(db, sqldb.OutboxConfig{Source: "/test", NewID: uuid.New, Now: time.Now})
	secret, err := hkdf.Key(sha256.New, []byte(testSecret), nil, "millrace signing keys", 32)
	require.NoError(t, err)
	keys, err := jwks.NewKeyring(jwks.KeyringConfig{
		Store: usersql.NewStore(db, outbox), Secret: secret, Random: rand.Reader, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	require.NoError(t, keys.Open(t.Context()))
	return forger{keys}
}

// admitted gives an admin's token that was issued then.
func (f forger) admitted(t *testing.T, then time.Time) string {
	t.Helper()
	signer := jwks.NewSigner(f.keys, func() time.Time { return then })
	token, _, err := signer.Issue(t.Context(), principal.Principal{UserID: uuid.New(), Role: principal.RoleAdmin, Session: uuid.NewString()})
	require.NoError(t, err)
	return token
}

// resigned is token with another header and signature.
func resigned(token, header string, key ed25519.PrivateKey) string {
	claims := strings.Split(token, ".")[1]
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + claims
	if key == nil {
		return signed + "."
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed)))
}

// Every signed-in route of the table answers 401 to whoever brings no token of ours that is good now, whatever the body is: what nobody
// answers for is not looked at.
func TestForeignTokensAreRefusedOnEveryRoute(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := start(t, "--data-dir="+dir, "--secret-key="+testSecret, "--rate-limits=off").ready()
	now := time.Now()
	forge := newForger(t, dir)
	good := forge.admitted(t, now)
	require.Equal(t, http.StatusOK, n.get(good, "/api/users").status, "the forger's tokens are good, in their time")
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	header, _, _ := strings.Cut(good, ".")
	plain, err := base64.RawURLEncoding.DecodeString(header)
	require.NoError(t, err)
	parts := strings.Split(good, ".")
	tokens := map[string]string{
		"no token":         "",
		"expired":          forge.admitted(t, now.Add(-jwks.AccessLasts-5*time.Second)),
		"from the future":  forge.admitted(t, now.Add(time.Hour)),
		"foreign key":      resigned(good, string(plain), foreign),
		"alg none":         resigned(good, `{"alg":"none","typ":"at+jwt"}`, nil),
		"key in the token": resigned(good, keyInside(foreign), foreign),
		"other claims":     parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"role":"admin"}`)) + "." + parts[2],
		"cut":              good[:len(good)-1],
		"nonsense":         "nonsense",
	}
	for _, r := range rights {
		if r.want[anonymous] != http.StatusUnauthorized {
			continue
		}
		method, path, _ := strings.Cut(r.route, " ")
		path = pathOfNobody(path)
		for name, token := range tokens {
			a := n.send(token, method, path+"?unknown=%zz", "\xff{", "Content-Type", "text/html")
			require.Equal(t, http.StatusUnauthorized, a.status, "%s with %s: %s", r.route, name, a.body)
			require.Contains(t, a.header.Get("WWW-Authenticate"), "Bearer", r.route)
			require.NotContains(t, a.body, `"errors"`, "%s tells %s about the request", r.route, name)
		}
	}
}

func keyInside(key ed25519.PrivateKey) string {
	public, _ := key.Public().(ed25519.PublicKey)
	return fmt.Sprintf(`{"alg":"EdDSA","typ":"at+jwt","kid":"mine","jku":"http://127.0.0.1:1/","jwk":{"kty":"OKP","crv":"Ed25519","x":%q}}`,
		base64.RawURLEncoding.EncodeToString(public))
}

// pathOfNobody fills a route's parameters with an ID of nothing.
func pathOfNobody(route string) string {
	parts := strings.Split(route, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = "018f3b1c-9c3a-7c1e-8b56-0a4c5d9e2f10"
		}
	}
	return strings.Join(parts, "/")
}

// raw sends bytes over a connection of its own and gives the first bytes that come back.
func (n *node) raw(request string) (string, error) {
	var d net.Dialer
	conn, err := d.DialContext(context.Background(), "tcp", strings.TrimPrefix(n.url, "http://"))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(waitFor)); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte(request)); err != nil {
		return "", err
	}
	buf := make([]byte, 64<<10)
	read, err := conn.Read(buf)
	return string(buf[:read]), err
}
