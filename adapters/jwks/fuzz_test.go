package jwks_test

import (
	"context"
	"crypto/ed25519"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/app/fault"
)

func FuzzVerify(f *testing.F) {
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(f, err)
	good := forge(f, private, header{Kid: "k"}, nil)
	for _, seed := range []string{
		good, "", "..", forge(f, private, header{Alg: "none", Kid: "k"}, nil), forge(f, private, header{Alg: "HS256", Kid: "k"}, nil),
		forge(f, private, header{Typ: "JWT", Kid: "k"}, nil), good + "=", strings.Replace(good, ".", "..", 1), good[:len(good)-2],
	} {
		f.Add(seed)
	}
	verifier := jwks.NewVerifier(&source{id: "k", key: public}, newClock().now)
	f.Fuzz(func(t *testing.T, token string) {
		caller, err := verifier.Verify(context.Background(), token) //nolint:usetesting // a context per call is most of its cost
		if err == nil && token != good {
			t.Fatalf("%q is taken: %+v", token, caller)
		}
		if err != nil && (fault.KindOf(err) != fault.Unauthenticated || caller.Role != "") {
			t.Fatalf("%q: %v", token, err)
		}
	})
}

// document answers every request with a key set.
type document string

func (d document) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(d)))}, nil
}

// FuzzKeySet has whoever stands behind MILLRACE_JWKS_URL answer anything.
func FuzzKeySet(f *testing.F) {
	const key = `{"kty":"OKP","crv":"Ed25519","kid":"k","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	for _, seed := range []string{
		`{"keys":[` + key + `]}`, key, `{}`, `{"keys":null}`, `[]`, `{"keys":[{"kty":"RSA","kid":"k","n":"AQ","e":"AQAB"}]}`,
		strings.Replace(`{"keys":[`+key+`]}`, "HURo", "HUR", 1), strings.Replace(key, `"sig"`, `"enc"`, 1), strings.Replace(key, "OKP", "oct",
			1),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		remote := jwks.NewRemote("http://user.invalid/", &http.Client{Transport: document(answer)}, newClock().now)
		public, err := remote.Key(t.Context(), "k")
		if err == nil && len(public) != ed25519.PublicKeySize {
			t.Fatalf("%q gives a key of %d bytes", answer, len(public))
		}
	})
}
