package orderhttp_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func (a api) placeOnce(t *testing.T, name, key, body string) *http.Response {
	t.Helper()
	return a.call(t, name, http.MethodPost, "/api/orders", body, "Idempotency-Key", key)
}

func TestSameKeySameAnswer(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, a api) {
		first := a.placeOnce(t, "ada", "key-1", order)
		body := text(t, first)
		require.Equal(t, http.StatusCreated, first.StatusCode, body)
		again := a.placeOnce(t, "ada", "key-1", order)
		require.Equal(t, body, text(t, again), "to the byte")
		require.Equal(t, http.StatusCreated, again.StatusCode)
		require.Equal(t, []string{"true"}, again.Header["Idempotency-Replayed"])
		again.Header.Del("Idempotency-Replayed")
		require.Equal(t, first.Header, again.Header)

		reused := a.placeOnce(t, "ada", "key-1", strings.Replace(order, "book", "brook", 1))
		require.Contains(t, text(t, reused), "idempotency_key_reused")
		require.Equal(t, http.StatusUnprocessableEntity, reused.StatusCode)
		blank := a.placeOnce(t, "ada", "key-1", order+" ")
		require.Equal(t, http.StatusUnprocessableEntity, blank.StatusCode, "the same body is the same bytes")

		others := text(t, a.placeOnce(t, "bob", "key-1", order))
		require.NotEqual(t, body, others, "another's key is another key")
		require.Len(t, a.published(t), 2)
	})
}

func TestKeysThatAreNone(t *testing.T) {
	t.Parallel()
	a := setup(t)
	for name, keys := range map[string][]string{
		"empty": {""}, "blank": {"a b"}, "two": {"a", "b"}, "the same twice": {"a", "a"}, "long": {strings.Repeat("a", 256)},
		"not ASCII": {"schlüssel"}, "control": {"a\x7f"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/api/orders", strings.NewReader(order))
			r.Header.Set("Authorization", "Bearer ada")
			r.Header["Idempotency-Key"] = keys
			w := httptest.NewRecorder()
			a.handler.ServeHTTP(w, r)
			require.Equal(t, http.StatusUnprocessableEntity, w.Code, w.Body)
			require.Contains(t, w.Body.String(), `"header.Idempotency-Key"`)
		})
	}
	require.Empty(t, a.published(t))
	require.Equal(t, http.StatusCreated, a.placeOnce(t, "ada", strings.Repeat("~", 255), order).StatusCode)
}

func TestRefusedRequestUsesUpNoKey(t *testing.T) {
	t.Parallel()
	a := setup(t)
	require.Equal(t, 422, a.placeOnce(t, "ada", "key", strings.Replace(order, "EUR", "XXX", 1)).StatusCode)
	require.Equal(t, 400, a.placeOnce(t, "ada", "key", "{").StatusCode)
	require.Equal(t, 401, a.placeOnce(t, "", "key", order).StatusCode)
	require.Equal(t, 201, a.placeOnce(t, "ada", "key", order).StatusCode)
}

func TestOneOf64WithTheSameKeyPlacesAnOrder(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, a api) {
		var (
			callers sync.WaitGroup
			mu      sync.Mutex
			bodies  = map[string]int{}
			fresh   int
		)
		for range 64 {
			callers.Go(func() {
				r := httptest.NewRequest(http.MethodPost, "/api/orders", strings.NewReader(order))
				r.Header.Set("Authorization", "Bearer ada")
				r.Header.Set("Idempotency-Key", "the-same")
				r.Header.Set("X-Correlation-ID", "request-1")
				w := httptest.NewRecorder()
				a.handler.ServeHTTP(w, r)
				mu.Lock()
				defer mu.Unlock()
				if w.Code != http.StatusCreated {
					t.Errorf("%d: %s", w.Code, w.Body)
				}
				bodies[w.Body.String()]++
				if w.Header().Get("Idempotency-Replayed") == "" {
					fresh++
				}
			})
		}
		callers.Wait()
		require.Len(t, bodies, 1, "all are answered the same")
		require.Equal(t, 1, fresh)
		require.Len(t, a.published(t), 1)
	})
}
