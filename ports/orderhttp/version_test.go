package orderhttp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/ports/rest"
)

func TestEveryAnswerOfOneOrderCarriesItsVersion(t *testing.T) {
	t.Parallel()
	a := setup(t)
	res := a.call(t, "ada", http.MethodPost, "/api/orders", order)
	require.Equal(t, http.StatusCreated, res.StatusCode)
	require.Equal(t, `"1"`, res.Header.Get("ETag"))
	target := res.Header.Get("Location")
	for _, step := range []struct {
		method, target, body, expected string
		status                         int
		tag                            string
	}{
		{http.MethodGet, target, ``, ``, 200, `"1"`},
		{http.MethodHead, target, ``, ``, 200, `"1"`},
		{http.MethodPut, target, `{"note":"x"}`, `"1"`, 200, `"2"`},
		{http.MethodPut, target, `{"note":"y"}`, `"1"`, 412, ``},
		{http.MethodPut, target, `{"note":"x"}`, `"2"`, 200, `"2"`},
		{http.MethodPost, target + "/cancel", ``, `"1"`, 412, ``},
		{http.MethodPost, target + "/cancel", ``, `W/"2"`, 412, ``},
		{http.MethodPost, target + "/cancel", ``, `3`, 422, ``},
		{http.MethodPost, target + "/cancel", ``, `"2"`, 200, `"3"`},
		{http.MethodPost, target + "/cancel", ``, `"2"`, 200, `"3"`}, // asked again: the answer was lost
		{http.MethodPost, target + "/cancel", ``, `"1"`, 412, ``},
		{http.MethodPost, target + "/cancel", ``, ``, 200, `"3"`},
		{http.MethodPut, target, `{"note":"z"}`, `"2"`, 412, ``},
		{http.MethodPut, target, `{"note":"z"}`, `"3"`, 409, ``},
		{http.MethodDelete, target, ``, `"2"`, 412, ``},
		{http.MethodDelete, target, ``, `"3"`, 204, ``},
		{http.MethodDelete, target, ``, `"3"`, 404, ``},
		{http.MethodPut, target, `{"note":"z"}`, `*`, 404, ``},
	} {
		headers := []string{}
		if step.expected != "" {
			headers = []string{"If-Match", step.expected}
		}
		res := a.call(t, "ada", step.method, step.target, step.body, headers...)
		require.Equal(t, step.status, res.StatusCode, "%+v", step)
		require.Equal(t, step.tag, res.Header.Get("ETag"), "%+v", step)
		if step.status == 412 {
			var p rest.Problem
			require.NoError(t, json.Unmarshal([]byte(text(t, res)), &p))
			require.Equal(t, "precondition_failed", p.Code)
		}
	}
}

func TestKnownVersionIsNotSentAgain(t *testing.T) {
	t.Parallel()
	a := setup(t)
	target := a.placed(t, "ada")
	res := a.call(t, "ada", http.MethodGet, target, "", "If-None-Match", `"1"`)
	require.Equal(t, http.StatusNotModified, res.StatusCode)
	require.Equal(t, `"1"`, res.Header.Get("ETag"))
	require.Empty(t, text(t, res))
	require.Equal(t, "private, no-cache", res.Header.Get("Cache-Control"))

	a.done(t, http.StatusOK, "ada", http.MethodPut, target, `{"note":"x"}`)
	res = a.call(t, "ada", http.MethodGet, target, "", "If-None-Match", `"1"`)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, `"2"`, res.Header.Get("ETag"))

	res = a.call(t, "bob", http.MethodGet, target, "", "If-None-Match", `"2", *`)
	require.Equal(t, http.StatusNotFound, res.StatusCode, "a tag tells a stranger nothing")
	require.Equal(t, http.StatusNotFound, a.call(t, "bob", http.MethodPut, target, `{"note":"x"}`, "If-Match", `"9"`).StatusCode)
}

// outcomes counts the statuses of 64 requests that are sent at once.
func outcomes(send func(i int) int) map[int]int {
	var (
		callers sync.WaitGroup
		mu      sync.Mutex
		count   = map[int]int{}
	)
	for i := range 64 {
		callers.Go(func() {
			status := send(i)
			mu.Lock()
			defer mu.Unlock()
			count[status]++
		})
	}
	callers.Wait()
	return count
}

// history asks that each version of an order has its event, and none a second.
func (a api) history(t *testing.T, target string, changes int) map[string]any {
	t.Helper()
	final := a.done(t, http.StatusOK, "ada", http.MethodGet, target, "")
	require.EqualValues(t, 1+changes, final["version"])
	require.Len(t, a.published(t), 1+changes)
	return final
}

func TestCancelAndUpdateAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, a api) {
		t.Helper()
		target := a.placed(t, "ada")
		count := outcomes(func(i int) int {
			if i == 32 {
				return 1000 + a.call(t, "ada", http.MethodPost, target+"/cancel", "").StatusCode
			}
			return a.call(t, "ada", http.MethodPut, target, fmt.Sprintf(`{"note":"note %d"}`, i)).StatusCode
		})
		require.Equal(t, 1, count[1000+http.StatusOK], "%v", count)
		require.Equal(t, 63, count[http.StatusOK]+count[http.StatusConflict], "%v", count)
		final := a.history(t, target, 1+count[http.StatusOK])
		require.Equal(t, "cancelled", final["status"], "no update came behind the cancellation")
		types := a.published(t)
		require.Equal(t, "order.cancelled.v1", types[len(types)-1])
	})
}

// The naive version read the status, and published, outside of the lock.
func TestRegressionCancelTwiceEmitsOneEvent(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, a api) {
		t.Helper()
		target := a.placed(t, "ada")
		count := outcomes(func(int) int {
			return a.call(t, "ada", http.MethodPost, target+"/cancel", `{"reason":"twice"}`).StatusCode
		})
		require.Equal(t, map[int]int{http.StatusOK: 64}, count)
		a.history(t, target, 1)
		require.Equal(t, []string{"order.placed.v1", "order.cancelled.v1"}, a.published(t))
	})
}

func TestOneOfManyWinsAVersion(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, a api) {
		t.Helper()
		target := a.placed(t, "ada")
		var won sync.Map
		count := outcomes(func(i int) int {
			word := fmt.Sprint("by ", i)
			method, at, body := http.MethodPut, target, `{"note":"`+word+`"}`
			if i%2 == 0 {
				method, at, body = http.MethodPost, target+"/cancel", `{"reason":"`+word+`"}`
			}
			res := a.call(t, "ada", method, at, body, "If-Match", `"1"`)
			if res.StatusCode == http.StatusOK {
				won.Store(word, res.Header.Get("ETag"))
			}
			return res.StatusCode
		})
		require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusPreconditionFailed: 63}, count)
		final := a.history(t, target, 1)
		word := final["note"]
		if final["status"] == "cancelled" {
			word = final["cancel_reason"]
		}
		tag, ok := won.Load(word)
		require.True(t, ok, "what stands is what the winner was told")
		require.Equal(t, `"2"`, tag)
	})
}
