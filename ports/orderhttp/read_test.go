package orderhttp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/contract"
)

func TestOthersOrdersDoNotExist(t *testing.T) {
	t.Parallel()
	a := setup(t)
	target := a.placed(t, "ada")
	missing := "/api/orders/" + uuid.Must(uuid.NewV7()).String()
	for _, c := range []struct{ method, path, body string }{
		{http.MethodGet, "", ""}, {http.MethodPut, "", `{"note":"x"}`}, {http.MethodPost, "/cancel", ""}, {http.MethodDelete, "", ""},
	} {
		foreign := a.refused(t, http.StatusNotFound, "bob", c.method, target+c.path, c.body)
		require.Equal(t, a.refused(t, http.StatusNotFound, "bob", c.method, missing+c.path, c.body), foreign)
		a.refused(t, http.StatusUnauthorized, "", c.method, target+c.path, c.body)
		a.refused(t, http.StatusUnauthorized, "forged", c.method, target+c.path, c.body)
		a.refused(t, http.StatusUnprocessableEntity, "ada", c.method, "/api/orders/secret"+c.path, c.body)
	}
	a.refused(t, http.StatusUnauthorized, "", http.MethodPost, "/api/orders", `{`)
	a.refused(t, http.StatusUnauthorized, "", http.MethodGet, "/api/orders", "")
	require.Equal(t, "placed", a.done(t, http.StatusOK, "admin", http.MethodGet, target, "")["status"])
	require.Equal(t, []string{contract.TypeOrderPlaced}, a.published(t))
}

func TestList(t *testing.T) {
	t.Parallel()
	a := setup(t)
	var own []string
	for range 5 {
		own = append([]string{strings.TrimPrefix(a.placed(t, "ada"), "/api/orders/")}, own...)
	}
	foreign := strings.TrimPrefix(a.placed(t, "bob"), "/api/orders/")
	a.done(t, http.StatusOK, "ada", http.MethodPost, "/api/orders/"+own[1]+"/cancel", "")

	list := func(name, query string) (ids []string, next string) {
		page := a.done(t, http.StatusOK, name, http.MethodGet, "/api/orders"+query, "")
		for _, item := range page["items"].([]any) {
			ids = append(ids, item.(map[string]any)["id"].(string))
		}
		next, named := page["next_cursor"].(string)
		require.Equal(t, named, next != "", "next_cursor is absent on the last page")
		return ids, next
	}
	all, next := list("ada", "")
	require.Equal(t, own, all)
	require.Empty(t, next)
	placed, _ := list("ada", "?status=placed")
	require.Equal(t, []string{own[0], own[2], own[3], own[4]}, placed)
	everybodys, _ := list("admin", "")
	require.Equal(t, append([]string{foreign}, own...), everybodys)
	ofOne, _ := list("admin", "?user_id="+idOf("ada").String()+"&status=cancelled")
	require.Equal(t, own[1:2], ofOne)
	none, _ := list("eve", "")
	require.Empty(t, none)
	require.JSONEq(t, `{"items":[]}`, text(t, a.call(t, "eve", http.MethodGet, "/api/orders", "")))

	first, cursor := list("ada", "?limit=2")
	require.Equal(t, own[:2], first)
	second, cursor2 := list("ada", "?limit=2&cursor="+cursor)
	require.Equal(t, own[2:4], second)
	third, end := list("ada", "?limit=2&cursor="+cursor2)
	require.Equal(t, own[4:], third)
	require.Empty(t, end)

	for _, c := range []struct{ name, query string }{
		{"bob", "?cursor=" + cursor}, {"ada", "?status=placed&cursor=" + cursor}, {"ada", "?cursor=" + cursor + "x"}, {"ada", "?cursor=x"},
		{"ada", "?limit=0"}, {"ada", "?limit=201"}, {"ada", "?limit=many"},
		{"ada", "?limit=2&after=2020-01-01T00:00:00Z&cursor=" + cursor}, {"ada", "?limit=2&before=2120-01-01T00:00:00Z&cursor=" + cursor},
		{"ada", "?limit=2&before=0001-01-01T00:00:00Z&cursor=" + cursor},
		{"ada", "?after=yesterday"}, {"ada", "?before=2026-01-31"},
		{"ada", "?status=lost"}, {"ada", "?user_id=secret"}, {"ada", "?page=2"},
	} {
		a.refused(t, http.StatusUnprocessableEntity, c.name, http.MethodGet, "/api/orders"+c.query, "")
	}
	require.Equal(t, "user_forbidden",
		a.refused(t, http.StatusForbidden, "bob", http.MethodGet, "/api/orders?user_id="+idOf("ada").String(), "").Code)
}

func TestListOfASpanOfTime(t *testing.T) {
	t.Parallel()
	a := setup(t)
	var placed [][2]string // id and created_at
	for range 3 {
		o := a.done(t, http.StatusOK, "ada", http.MethodGet, a.placed(t, "ada"), "")
		placed = append(placed, [2]string{o["id"].(string), o["created_at"].(string)})
	}
	at := url.QueryEscape(placed[1][1])
	parsed, err := time.Parse(time.RFC3339Nano, placed[1][1])
	require.NoError(t, err)
	elsewhere := url.QueryEscape(parsed.In(time.FixedZone("", 7200)).Format(time.RFC3339Nano))
	for query, want := range map[string][]string{
		"after=" + at:                                       {placed[2][0], placed[1][0]},
		"before=" + at:                                      {placed[0][0]},
		"after=" + elsewhere:                                {placed[2][0], placed[1][0]},
		"after=" + at + "&status=cancelled":                 nil,
		"after=" + at + "&before=" + at:                     nil,
		"after=2020-01-01T00:00:00Z&before=" + at:           {placed[0][0]},
		"after=2120-01-01T00:00:00Z":                        nil,
		"before=0001-01-01T00:00:00Z":                       nil, // Go's zero time
		"after=0001-01-01T00:00:00Z&before=" + at:           {placed[0][0]},
		"before=" + at + "&user_id=" + idOf("ada").String(): {placed[0][0]},
	} {
		var got []string
		for _, item := range a.done(t, http.StatusOK, "ada", http.MethodGet, "/api/orders?"+query, "")["items"].([]any) {
			got = append(got, item.(map[string]any)["id"].(string))
		}
		require.Equal(t, want, got, query)
	}
	page := a.done(t, http.StatusOK, "ada", http.MethodGet, "/api/orders?limit=1&after="+at, "")
	next, _ := page["next_cursor"].(string)
	page = a.done(t, http.StatusOK, "ada", http.MethodGet, "/api/orders?limit=1&after="+elsewhere+"&cursor="+next, "")
	require.Len(t, page["items"], 1, "the same time in another zone is the same list")
	require.NotContains(t, page, "next_cursor")
}
