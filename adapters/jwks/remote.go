package jwks

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

// Remote gives the public keys of a user service elsewhere. It fetches them when the first token comes, when a token names an
// unknown key, and from time to time; while the user service is away the known ones stay good.
type Remote struct{ keySet }

// NewRemote returns a source that fetches from url, with client, and from nowhere else: a redirect is not followed, because whoever gives
// the keys signs the tokens.
func NewRemote(url string, client *http.Client, now func() time.Time) *Remote {
	straight := *client
	straight.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r := &Remote{}
	r.begin(func(ctx context.Context) (map[string]ed25519.PublicKey, error) { return fetch(ctx, &straight, url) }, now)
	return r
}

// maxDocument is far above a set of the few keys that are in use at once.
const maxDocument = 256 << 10

func fetch(ctx context.Context, client *http.Client, url string) (map[string]ed25519.PublicKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the key set: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for the key set: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask for the key set: answered %s", res.Status)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxDocument))
	if err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}
	return publicKeys(data)
}

// publicKeys takes the Ed25519 keys that sign, and passes over others.
func publicKeys(document []byte) (map[string]ed25519.PublicKey, error) {
	set, err := jwk.Parse(document)
	if err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}
	keys := make(map[string]ed25519.PublicKey, set.Len())
	for i := range set.Len() {
		key, _ := set.Key(i)
		id, named := key.KeyID()
		use, restricted := key.KeyUsage()
		var public ed25519.PublicKey
		if !named || restricted && use != "sig" || jwk.Export(key, &public) != nil {
			continue
		}
		keys[id] = public
	}
	if len(keys) == 0 {
		return nil, errors.New("read the key set: it has no Ed25519 key")
	}
	return keys, nil
}
