package orderhttp_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/ports/orderhttp"
)

// FuzzBodies sends anything as the body of each route that takes one. What is taken is what the server reckons it to be.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{"items":[{"sku":"tea","quantity":2,"unit_price":450}],"currency":"EUR"}`, `{"items":[],"currency":"EUR"}`, `{"note":null}`,
		`{"reason":"r"}`, `null`, `{`,
		`{"items":[{"sku":"a","quantity":9223372036854775807,"unit_price":2}],"currency":"JPY"}`,
		`{"currency":"eur","items":[{"sku":"","quantity":0,"unit_price":-1}]}`,
		`{"items":[{"sku":"tea","quantity":1e0,"unit_price":4.50}],"currency":"EUR","status":"cancelled","total":1}`,
		`{"user_id":"018f3b1c-9c3a-7c1e-8b56-0a4c5d9e2f10","items":[{"sku":"tea","quantity":1,"unit_price":1}],"currency":"EUR"}`,
	} {
		f.Add(seed)
	}
	a := setup(f)
	f.Fuzz(func(t *testing.T, body string) {
		res := a.call(t, "ada", http.MethodPost, "/api/orders", body)
		placed := text(t, res)
		require.Less(t, res.StatusCode, http.StatusInternalServerError, "%q: %s", body, placed)
		path := "/api/orders/018f3b1c-9c3a-7c1e-8b56-0a4c5d9e2f10"
		if res.StatusCode == http.StatusCreated {
			path = res.Header.Get("Location")
			reckoned(t, placed)
		}
		for _, route := range []string{"PUT ", "POST /cancel"} {
			method, below, _ := strings.Cut(route, " ")
			res := a.call(t, "ada", method, path+below, body)
			changed := text(t, res)
			require.Less(t, res.StatusCode, http.StatusInternalServerError, "%s with %q: %s", route, body, changed)
			if res.StatusCode == http.StatusOK {
				reckoned(t, changed)
			}
		}
	})
}

// reckoned asks that an order adds up.
func reckoned(t *testing.T, body string) {
	t.Helper()
	var o orderhttp.Order
	require.NoError(t, json.Unmarshal([]byte(body), &o), body)
	sum := int64(0)
	for _, item := range o.Items {
		require.Positive(t, item.Quantity)
		require.GreaterOrEqual(t, item.UnitPrice, int64(0))
		sum += item.Quantity * item.UnitPrice
	}
	require.Equal(t, sum, o.Total)
	require.NotEmpty(t, o.Items)
	require.Len(t, o.Currency, 3)
}

// FuzzQueryOfTheList sends anything as the query of the list.
func FuzzQueryOfTheList(f *testing.F) {
	for _, seed := range []string{
		"limit=1", "limit=201", "limit=%31", "cursor=AAAA", "status=placed", "user_id=018f3b1c-9c3a-7c1e-8b56-0a4c5d9e2f10",
		"after=2026-01-01T00:00:00Z",
		"before=0000-01-01T00:00:00Z", "after=2026-01-01T00%3A00%3A00%2B23%3A59&before=9999-12-31T23:59:59Z", "limit=1&limit=1", "%zz", "a;b",
		"status=%00",
	} {
		f.Add(seed)
	}
	a := setup(f)
	f.Fuzz(func(t *testing.T, query string) {
		if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' }) {
			return // net/http refuses these before us
		}
		res := a.call(t, "ada", http.MethodGet, "/api/orders?"+query, "")
		require.Less(t, res.StatusCode, http.StatusInternalServerError, "%q: %s", query, text(t, res))
	})
}
